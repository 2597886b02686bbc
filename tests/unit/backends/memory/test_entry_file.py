"""The memory backend's book: what is written costs the same however much there is, and nothing of it is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.memory.entry_file import EntryFile

NAMES = st.sampled_from([f"unit:{number}" for number in range(8)])
VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers()),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dev.jsonl"


def test_no_file_is_an_empty_book(file: Path) -> None:
    assert EntryFile(file).entries() == {}


def test_what_is_written_is_read_again(file: Path) -> None:
    EntryFile(file).write({"a": 1, "b": {"c": "d"}})
    EntryFile(file).write({"a": None, "e": 2})
    assert EntryFile(file).entries() == {"b": {"c": "d"}, "e": 2}


def test_writing_an_entry_adds_a_line_and_leaves_the_rest(file: Path) -> None:
    book = EntryFile(file)
    book.write({f"unit:{number}": "x" * 100 for number in range(1000)})
    before = file.stat()
    book.write({"unit:1000": "y"})
    after = file.stat()
    assert after.st_ino == before.st_ino
    assert after.st_size - before.st_size == len('["unit:1000", "y"]\n')


def test_a_file_of_lines_that_no_longer_count_is_written_again(file: Path) -> None:
    book, other = EntryFile(file), EntryFile(file)
    for number in range(2000):
        book.write({"count": number})
        assert number % 500 or other.entries() == {"count": number}
    assert len(file.read_text().splitlines()) < 500
    assert other.entries() == EntryFile(file).entries() == {"count": 1999}


@pytest.mark.parametrize(
    "torn", [b'["half', b"[", b'["a", 1', b"\xff\xfe", b'"text"\n', b"[1]\n[[], 2]\n"]
)
def test_a_line_that_a_killed_process_left_is_passed_over(file: Path, torn: bytes) -> None:
    EntryFile(file).write({"a": 1})
    with file.open("ab") as stream:
        stream.write(torn)
    book = EntryFile(file)
    assert book.entries() == {"a": 1}
    book.write({"b": 2})
    assert book.entries() == EntryFile(file).entries() == {"a": 1, "b": 2}


def test_a_file_that_was_removed_is_an_empty_book(file: Path) -> None:
    heard: list[tuple[str, Any]] = []
    book = EntryFile(file, lambda *entry: heard.append(entry))
    book.write({"a": 1})
    file.unlink()
    assert book.entries() == {}
    assert heard == [("a", 1), ("a", None)]


@given(
    writes=st.lists(
        st.tuples(st.booleans(), st.dictionaries(NAMES, VALUES, max_size=3)), max_size=40
    )
)
def test_two_writers_in_turn_see_what_one_would(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[bool, dict[str, Any]]]
) -> None:
    file = tmp_path_factory.mktemp("book") / "dev.jsonl"
    heard: dict[str, Any] = {}
    one, other = EntryFile(file, heard.__setitem__), EntryFile(file)
    expected: dict[str, Any] = {}
    for first, entries in writes:
        (one if first else other).write(entries)
        expected.update(json.loads(json.dumps(entries)))
        expected = {name: value for name, value in expected.items() if value is not None}
        assert one.entries() == other.entries() == expected
    assert {name: value for name, value in heard.items() if value is not None} == expected
