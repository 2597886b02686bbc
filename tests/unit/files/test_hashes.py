"""Hashes of files that are remembered."""

from __future__ import annotations

import hashlib
import os
import time
import zlib

import pytest

from envctl.files import hash_copy, hashes
from envctl.host.private_state import state_path

LONG_AGO = 1_500_000_000


@pytest.fixture
def old(project, monkeypatch):
    """The project, as if its files had been changed long ago."""
    monkeypatch.setattr(hashes, "_SETTLES_AFTER", -10_000_000_000)
    return project


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read."""
    found = []
    real = hashes._read_through

    def reading(name, folder):
        found.append(name)
        return real(name, folder)

    monkeypatch.setattr(hashes, "_read_through", reading)
    return found


def kept(root):
    return sorted(state_path(root, "cache").glob("hashes-*"))


def test_a_file_is_read_again_only_when_it_changed(old, reads):
    first = hash_copy(old, "app")
    assert sorted(reads) == ["data.txt", "main.py"]
    assert hash_copy(old, "app") == first
    (old / "app" / "main.py").write_text("print(2)\n")
    assert hash_copy(old, "app").content != first.content
    assert sorted(reads) == ["data.txt", "main.py", "main.py"]


def test_a_change_that_puts_the_former_time_and_size_back_is_seen(old):
    main = old / "app" / "main.py"
    os.utime(main, (LONG_AGO, LONG_AGO))
    first = hash_copy(old, "app")
    main.write_text("print(9)\n")
    os.utime(main, (LONG_AGO, LONG_AGO))
    assert hash_copy(old, "app").content != first.content


def test_what_was_changed_just_now_is_read_again(project, reads):
    hash_copy(project, "app")
    hash_copy(project, "app")
    assert len(reads) == 4


def whole(data):
    """What another version may have stored: it is whole, but of another shape."""
    return b"envctl hashes 3 %08x\n%s" % (zlib.crc32(data), data)


def one_digit_changed(data):
    digest = data.index(hashlib.sha256(b"print(1)\n").hexdigest().encode())
    return data[:digest] + bytes([data[digest] ^ 1]) + data[digest + 1 :]


@pytest.mark.parametrize(
    "broken",
    [
        lambda _: b"",
        lambda _: b"{",
        lambda _: b'{"is":"envctl hashes 2","files":{"main.py":[1]}}',
        lambda data: data[:-5],
        lambda data: data.replace(b"hashes 3", b"hashes 4"),
        lambda data: data + b"{}",
        one_digit_changed,
        lambda _: whole(b"[]"),
        lambda _: whole(b'{"main.py":5,"conf.py":[1]}'),
        lambda _: whole(b"[" * 100_000),
    ],
)
def test_a_broken_cache_is_made_again(old, reads, broken):
    first = hash_copy(old, "app")
    (file,) = kept(old)
    file.write_bytes(broken(file.read_bytes()))
    assert hash_copy(old, "app").content == first.content
    assert hash_copy(old, "app").content == first.content
    assert len(reads) == 4
    file.unlink()
    assert hash_copy(old, "app").content == first.content


def test_what_others_could_have_written_is_not_believed(old, tmp_path):
    first = hash_copy(old, "app")
    (file,) = kept(old)
    other = tmp_path / "other"
    other.write_text(file.read_text().replace(first.tree.entries[0].digest, "0" * 64))
    file.unlink()
    file.symlink_to(other)
    assert hash_copy(old, "app").content == first.content
    assert file.stat().st_mode & 0o077 == 0 or file.is_symlink()


def test_a_file_that_is_written_all_the_time_is_reported(old, monkeypatch):
    main = old / "app" / "main.py"
    real = os.read

    def growing(descriptor, size):
        with main.open("a") as file:
            file.write("x")
        return real(descriptor, 1) if main.stat().st_size < 40 else b""

    monkeypatch.setattr(os, "read", growing)
    with pytest.raises(Exception, match="changed while it was read"):
        hash_copy(old, "app/main.py")


@pytest.mark.slow
def test_twenty_thousand_files_are_looked_at_in_seconds(old):
    for number in range(20_000):
        folder = old / "data" / str(number // 500)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_text(str(number))
    begun = time.process_time()
    first = hash_copy(old, "data")
    again = hash_copy(old, "data")
    assert again == first
    assert len(first.tree.entries) == 20_040
    assert time.process_time() - begun < 15
