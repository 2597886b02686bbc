"""Values in the words of a line."""

from __future__ import annotations

import pytest

from envctl.plan.values import changed, seconds_text, value_text, word_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("/srv/x-1", "/srv/x-1"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a\nb", '"a\\nb"'),
        (80, "80"),
    ],
)
def test_a_name_is_shown_as_it_is_unless_something_of_it_would_be_lost(value, text):
    assert word_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unset"),
        (True, "true"),
        (False, "false"),
        (2.0, "2"),
        (0.25, "0.25"),
        (80, "80"),
        ("a", '"a"'),
        ([], "none"),
        ((), "none"),
        ({}, "none"),
        ({"is": "Port"}, "none"),
        (["a", 1], '"a", 1'),
        ({"is": "X", "soft": 1, "hard side": None}, 'soft 1, "hard side" unset'),
    ],
)
def test_a_value_is_shown_in_words_and_not_as_json(value, text):
    assert value_text(value) == text


def test_durations_have_their_unit():
    assert [seconds_text(one) for one in (5.0, 0.5)] == ["5 s", "0.5 s"]


def test_a_long_value_is_cut_at_sixty_characters():
    assert changed("x", "a" * 60, "b") == f"x {'a' * 60} → b"
    assert changed("x", "a" * 61, "b") == f"x {'a' * 59}… → b"


def test_what_looks_the_same_is_said_to_have_changed():
    assert changed("command", "sh: make", "sh: make") == "command sh: make changed"


def test_long_values_are_shown_from_a_little_before_where_they_differ():
    common = "0123456789" * 4
    assert changed("x", f"{common}old{'.' * 30}", f"{common}new") == (
        f"x …{common[-12:]}old{'.' * 30} → …{common[-12:]}new"
    )


@pytest.mark.parametrize("count", [0, 29, 30])
def test_long_values_that_differ_early_are_shown_from_their_beginning(count):
    old, new = f"{'a' * count}b{'-' * 80}", f"{'a' * count}c{'-' * 80}"
    assert changed("x", old, new) == f"x {old[:59]}… → {new[:59]}…"


def test_short_values_are_shown_whole_however_much_they_have_in_common():
    old, new = "a" * 59 + "b", "a" * 59 + "c"
    assert changed("x", old, new) == f"x {old} → {new}"
