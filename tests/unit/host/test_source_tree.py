"""What a copy takes: when a file counts as a program, where things are, and their times."""

from __future__ import annotations

import pytest

from envctl.host.source_tree import START, SourceEntry, SourceTree, content_time


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o100, 0o010, 0o001, 0o645, 0o4711])
def test_a_file_that_anybody_may_execute_is_a_program(mode):
    assert SourceEntry("x", mode=mode).is_program


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o644, 0o666, 0o4000, 0o202])
def test_a_file_that_nobody_may_execute_is_none(mode):
    assert not SourceEntry("x", mode=mode).is_program


def test_a_file_of_which_nothing_else_is_said_can_be_read_by_all_and_run_by_none():
    assert SourceEntry("x") == SourceEntry("x", mode=0o644, size=0, digest="", time=0)
    assert str(SourceEntry("x").kind) == "file"


@pytest.mark.parametrize(
    ("origin", "path", "place"),
    [
        ("app", "lib/x.py", "app/lib/x.py"),
        ("app/main.py", "", "app/main.py"),
        (".", "lib/x.py", "lib/x.py"),
        ("", "lib/x.py", "lib/x.py"),
    ],
)
def test_the_place_of_a_thing_is_reported_from_the_project_on(origin, path, place):
    assert SourceTree(origin).place(SourceEntry(path)) == place


def test_a_tree_is_a_file_if_it_is_one_and_not_a_folder_with_one_in_it():
    assert SourceTree("x", (SourceEntry(""),)).is_file
    assert not SourceTree("x", (SourceEntry("y"),)).is_file
    assert not SourceTree("x").is_file
    assert not SourceTree("x", (SourceEntry(""), SourceEntry("y"))).is_file


def test_the_time_of_a_content_never_changes_and_is_of_the_years_2000_to_2020():
    """It is in images, which would all be built anew."""
    assert START == 946_684_800
    assert content_time("0" * 64) == START
    assert content_time("00000000000f" + "f" * 52) == START + 15
    assert content_time("ffffffffffff" + "0" * 52) == START + (16**12 - 1) % 630_720_000
