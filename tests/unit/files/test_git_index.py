"""Which files git tracks, read from the index that git itself writes."""

from __future__ import annotations

import struct
import subprocess

import pytest

from envctl.files.git_index import tracked


def index(*names, version=2, sign=b"DIRC", extended=False):
    """An index as git writes it: each entry filled up with one to eight zeros."""
    data = struct.pack(">4sII", sign, version, len(names))
    for name in names:
        entry = b"\1" * 60 + struct.pack(">H", 0x4000 if extended else len(name))
        entry += (b"\0\0" if extended else b"") + name
        data += entry + b"\0" * (8 - len(entry) % 8)
    return data


@pytest.fixture
def put(tmp_path):
    (tmp_path / ".git").mkdir()

    def write(data):
        (tmp_path / ".git" / "index").write_bytes(data)
        return set(tracked(tmp_path))

    return write


NAMES = [b"x" * length for length in range(1, 20)]


@pytest.mark.parametrize("extended", [False, True])
def test_names_of_whatever_length_are_found(put, extended):
    version = 3 if extended else 2
    assert put(index(*NAMES, version=version, extended=extended)) == {
        name.decode() for name in NAMES
    }


def test_names_that_are_no_text_are_found_too(put):
    assert put(index(b"a/\xff")) == {"a/\udcff"}


@pytest.mark.parametrize(
    "data",
    [b"", b"DIRC", index(b"a", version=4), index(b"a", version=1), index(b"a", sign=b"XXXX"), index(b"a")[:-20]],
)  # fmt: skip
def test_what_cannot_be_read_tells_of_none(put, data):
    assert put(data) == set()


def test_without_a_repository_nothing_is_tracked(tmp_path):
    assert not tracked(tmp_path)
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    assert not tracked(tmp_path)


def test_git_says_the_same(tmp_path):
    for name in ("a", "b/c", "b/" + "d" * 40, "left"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "a").chmod(0o755)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "a", "b"], check=True)
    assert tracked(tmp_path) == {"a": 0o755, "b/c": 0o644, "b/" + "d" * 40: 0o644}
