"""What pip and npm are asked for by name, and which versions meet it."""

from __future__ import annotations

import pytest

from envctl.requirements import npm_dependencies, pip_lines, pip_word


def names(text):
    return [(one.name, one.pin) for one in pip_lines(text)]


def test_plain_lines_are_read_and_all_else_is_left_out():
    text = (
        "# a comment\n-r more.txt\n\nFlask==3.1  # why\nclick[x] >=8,<9\nrich\n"
        "a==1 \\\n    --hash=sha256:0\nb ~= 2.0 --hash=x\n"
        "./here\nhttps://example.org/x.whl\nx @ https://example.org/x.whl\ny; os_name == 'nt'\n"
    )
    assert names(text) == [("Flask", "3.1"), ("click", ""), ("rich", ""), ("a", "1"), ("b", "")]


@pytest.mark.parametrize(
    ("word", "version", "met"),
    [
        ("a==1.0", "1.0", True),
        ("a==1.0", "1", True),
        ("a==1.0", "1.0.0+local", True),
        ("a==1.0", "1.1", False),
        ("a==1.0rc1", "1.0rc1", True),
        ("a==1.0rc1", "1.0.rc1", None),
        ("a==1.*", "1.1", None),
        ("a>=1", "0.9", None),
        ("a", "1", None),
    ],
)
def test_a_version_meets_a_pin_that_can_be_compared(word, version, met):
    assert pip_word(word).is_met(version) is met


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dependencies": []}', "[" * 100_000])
def test_a_package_json_without_dependencies_asks_for_nothing(text):
    assert list(npm_dependencies(text)) == []


def test_dependencies_are_told_in_their_order_and_exact_ones_are_pinned():
    text = '{"dependencies": {"b": "1.2.3", "@a/b": "^1.0.0", "c": null}, "devDependencies": {"d": "1"}}'
    assert [(one.text, one.pin) for one in npm_dependencies(text)] == [
        ("@a/b ^1.0.0", ""),
        ("b 1.2.3", "1.2.3"),
        ("c", ""),
    ]
