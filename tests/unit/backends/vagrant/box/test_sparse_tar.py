"""Sparse files out of tars: as GNU's tar packs them, and nothing else that one could have in it."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile

import pytest

from envctl.backends.vagrant.box.sparse_tar import unpack

GIB = 1 << 30


def packed(folder, parts, size, *options):
    """A tar of GNU's of a file of a size, with bytes at some places; and those bytes."""
    raw = folder / "raw"
    with raw.open("wb") as file:
        for start, data in parts.items():
            file.seek(start)
            file.write(data)
        file.truncate(size)
    tar = folder / "disk.tar"
    subprocess.run(["tar", "-C", folder, "--format=gnu", *options, "-cSf", tar, "raw"], check=True)
    return tar


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ({}, 20 * GIB),
        ({0: b"begin", 20 * GIB - 4096: b"e" * 4096}, 20 * GIB),
        ({place << 20: b"%d" % place for place in range(60)}, 9 * GIB),
    ],
)
def test_what_gnu_tar_packs_comes_out_as_it_was_with_its_holes(tmp_path, parts, size):
    tar = packed(tmp_path, parts, size)

    unpack(tar, tmp_path / "out", size)

    out = tmp_path / "out"
    assert out.stat().st_size == size
    assert out.stat().st_blocks * 512 < 1 << 20
    with out.open("rb") as file:
        for start, data in parts.items():
            file.seek(start)
            assert file.read(len(data)) == data


def member(kind, link="", size=0):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        info = tarfile.TarInfo("raw")
        info.type, info.linkname, info.size = kind, link, size
        tar.addfile(info, io.BytesIO(bytes(size)))
    return target.getvalue()


def header(*parts, size=1 << 20, more=b"\0", data=b""):
    """The block that begins a sparse file, as anybody may write it."""
    block = bytearray(member(tarfile.GNUTYPE_SPARSE)[:512])
    listed = b"".join(b"%011o\0%011o\0" % part for part in parts)
    block[386 : 386 + len(listed)] = listed
    block[482:483], block[483:495] = more, b"%011o\0" % size
    return bytes(block) + data


FOUR = [(place * 1024, 512) for place in range(4)]
WRONG = {
    "nothing": b"",
    "the end": bytes(1024),
    "a link": member(tarfile.SYMTYPE, "/etc/passwd"),
    "a name of another file": member(tarfile.LNKTYPE, "/etc/passwd"),
    "a pipe": member(tarfile.FIFOTYPE),
    "a device": member(tarfile.CHRTYPE),
    "a folder": member(tarfile.DIRTYPE),
    "a whole file": member(tarfile.REGTYPE, size=1 << 20),
    "compressed": gzip.compress(header((0, 512), data=bytes(512)), mtime=0),
    "larger": header(size=(1 << 20) + 1),
    "much larger": header(size=1 << 32),
    "beyond its end": header((1 << 20, 512), data=bytes(512)),
    "across its end": header(((1 << 20) - 512, 1024), data=bytes(1024)),
    "backwards": header((512, 512), (0, 512), data=bytes(1024)),
    "twice": header((0, 512), (0, 512), data=bytes(1024)),
    "no whole block": header((1, 512), data=bytes(512)),
    "cut off": header((0, 512), data=bytes(511)),
    "list cut off": header(*FOUR, more=b"\1"),
    "no numbers": header(*FOUR, more=b"\1", data=b"x" * 4096),
}


@pytest.mark.parametrize("tar", WRONG.values(), ids=[*WRONG])
def test_what_is_no_such_file_is_refused_and_leads_nowhere(tmp_path, tar):
    (tmp_path / "disk.tar").write_bytes(tar)

    with pytest.raises(ValueError, match=r"."):
        unpack(tmp_path / "disk.tar", tmp_path / "out", 1 << 20)

    out = tmp_path / "out"
    assert not out.is_symlink()
    assert not out.exists() or out.stat().st_blocks == 0


def test_a_file_that_exists_is_not_written_over(tmp_path):
    (tmp_path / "disk.tar").write_bytes(header((0, 512), data=bytes(512)))
    other = tmp_path / "other"
    other.write_text("of this host")
    (tmp_path / "out").symlink_to(other)

    with pytest.raises(FileExistsError):
        unpack(tmp_path / "disk.tar", tmp_path / "out", 1 << 20)

    assert other.read_text() == "of this host"
