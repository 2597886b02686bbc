"""Commands that messages name exist, with the options that they are named with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from envctl.cli.commands import COMMANDS
from envctl.cli.declare import COMMON, Group, Option, load, parameters

SOURCES = Path(__file__).parents[3] / "envctl"


def texts(source: str) -> Iterator[str]:
    """The texts of a module; what is filled in is an X."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def commands() -> set[str]:
    return {
        found.strip()
        for source in (file.read_text() for file in SOURCES.rglob("*.py"))
        # Each process collects this test: most modules need not be parsed.
        if "`envctl " in source
        for text in texts(source)
        for found in re.findall(r"`envctl ([a-z][^`]*)`", text)
    }


@pytest.mark.parametrize("line", sorted(commands()))
def test_a_command_that_a_message_names_exists(line: str) -> None:
    words = line.split()
    place: str | Group = COMMANDS
    while isinstance(place, Group):
        name = words.pop(0)
        assert name in place.commands, line
        place = place.commands[name]
        if line.startswith("base list |"):
            return
    known = {
        word
        for parameter in (*COMMON, *parameters(load(place)))
        if isinstance(parameter.what, Option)
        for word in parameter.what.words
    }
    # What is filled in may be an option of its own: `doctor --fixX`.
    options = {word.removesuffix("X") for word in words if word.startswith("-") and word != "--"}
    assert options <= known, line


@pytest.mark.slow
def test_there_are_such_commands() -> None:
    assert len(commands()) > 20
