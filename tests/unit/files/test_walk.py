"""Going through a folder: what is taken, in which order, and what is told of what cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envctl.files import walk
from envctl.files.walk import DEEPEST, TooDeepError, UnreadableError


class Rules:
    """Takes what a test wants; what is known in a folder is its path."""

    def __init__(self, takes=bool, enters=bool):
        self.takes, self.enters, self.seen = takes, enters, []

    def decide(self, above, thing):
        assert thing.path.startswith(above)
        assert thing.state == above
        return self.takes(thing.path), thing.path if self.enters(thing.path) else None

    def entered(self, state, path, folder):
        assert state == path
        self.seen.append((path, sorted(entry.name for entry in os.scandir(folder))))
        return state


@pytest.fixture
def top(tmp_path):
    for path in ("b/c/d.txt", "b/a.txt", "e/f.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "link").symlink_to("b")
    return tmp_path


def walked(top, rules):
    folder = os.open(top, os.O_RDONLY)
    try:
        return [thing.path for thing in walk.walk(folder, rules, "")]
    finally:
        os.close(folder)


def test_each_folder_comes_before_what_is_in_it_and_names_in_order(top):
    rules = Rules()
    assert walked(top, rules) == [
        "a.txt", "b", "b/a.txt", "b/c", "b/c/d.txt", "e", "e/f.txt", "link"
    ]  # fmt: skip
    assert rules.seen == [
        ("", ["a.txt", "b", "e", "link"]),
        ("b", ["a.txt", "c"]),
        ("b/c", ["d.txt"]),
        ("e", ["f.txt"]),
    ]


def test_a_folder_that_is_left_out_is_reported_once_if_something_in_it_is_not(top):
    (top / "b" / "c" / "e.txt").write_text("x")
    assert walked(top, Rules(takes=lambda path: path.endswith(".txt"))) == [
        "a.txt", "b", "b/a.txt", "b/c", "b/c/d.txt", "b/c/e.txt", "e", "e/f.txt"
    ]  # fmt: skip
    assert walked(top, Rules(takes=lambda path: path == "b/c/d.txt")) == ["b", "b/c", "b/c/d.txt"]
    assert walked(top, Rules(takes=lambda path: path == "a.txt")) == ["a.txt"]


def test_what_is_not_entered_is_left_out_with_all_that_is_in_it(top):
    assert walked(top, Rules(enters=lambda path: path == "e")) == [
        "a.txt", "b", "e", "e/f.txt", "link"
    ]  # fmt: skip


def test_a_thing_can_be_opened_by_its_name_in_its_folder(top):
    folder = os.open(top, os.O_RDONLY)
    for thing in walk.walk(folder, Rules(), ""):
        if not thing.is_folder and thing.path != "link":
            descriptor = os.open(thing.name, os.O_RDONLY, dir_fd=thing.folder)
            assert os.read(descriptor, 99).decode() in (thing.path, "x")
            os.close(descriptor)
    os.close(folder)


def test_no_descriptor_stays_open_whenever_it_ends(top):
    before = len([*Path("/dev/fd").iterdir()])
    walked(top, Rules())
    folder = os.open(top, os.O_RDONLY)
    found = walk.walk(folder, Rules(), "")
    while next(found).path != "b/c/d.txt":
        pass
    found.close()
    os.close(folder)
    assert len([*Path("/dev/fd").iterdir()]) == before


def test_what_vanishes_on_the_way_is_not_there(top):
    def takes(path):
        if path == "b":
            (top / "b/c/d.txt").unlink()
            (top / "b/c").rmdir()
            (top / "b/a.txt").unlink()
            (top / "b").rmdir()
            (top / "e/f.txt").unlink()
        return True

    assert walked(top, Rules(takes)) == ["a.txt", "b", "e", "link"]


def test_what_vanishes_before_it_is_looked_at_is_not_told(top):
    def takes(path):
        if path == "a.txt":
            (top / "link").unlink()
        return True

    assert "link" not in walked(top, Rules(takes))


@pytest.mark.parametrize("takes", [True, False])
def test_a_folder_that_becomes_a_link_is_reported_and_not_followed(top, takes):
    def enters(path):
        if path == "e":
            (top / "e/f.txt").unlink()
            (top / "e").rmdir()
            (top / "e").symlink_to("b")
        return True

    with pytest.raises(UnreadableError) as caught:
        walked(top, Rules(lambda _: takes, enters))
    assert caught.value.path == "e"
    assert isinstance(caught.value.error, OSError)


def test_a_folder_may_be_so_deep_and_no_deeper(tmp_path):
    deep = tmp_path / "/".join(["d"] * (DEEPEST - 1))
    deep.mkdir(parents=True)
    assert len(walked(tmp_path, Rules())) == DEEPEST - 1
    (deep / "d").mkdir()
    with pytest.raises(TooDeepError, match=r"^(d/)+d$") as caught:
        walked(tmp_path, Rules())
    assert str(caught.value) == "/".join(["d"] * DEEPEST)


def test_a_folder_that_cannot_be_listed_is_reported_by_its_path(top, monkeypatch):
    real = os.scandir
    (top / "b" / "c~").mkdir()
    broken = (top / "b" / "c~").stat().st_ino

    def failing(folder):
        if os.fstat(folder).st_ino == broken:
            raise OSError(5, "Input/output error")
        return real(folder)

    monkeypatch.setattr(os, "scandir", failing)
    rules = Rules()
    rules.entered = lambda state, *_: state
    with pytest.raises(UnreadableError) as caught:
        walked(top, rules)
    assert (caught.value.path, caught.value.error.errno) == ("b/c~", 5)
