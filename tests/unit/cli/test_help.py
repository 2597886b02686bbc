"""Help: in groups, with examples that work, and without Typer where that is not needed."""

from __future__ import annotations

import re
import shlex

import pytest

from envctl.cli.app import command_line
from envctl.cli.commands import COMMANDS
from envctl.cli.declare import Group, load
from envctl.cli.front import read
from envctl.cli.help import documentation, help_text, requested_help
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow


def every_place(group: Group = COMMANDS, name: str = "envctl") -> dict[str, str | Group]:
    places: dict[str, str | Group] = {name: group}
    for command, place in group.commands.items():
        if isinstance(place, Group):
            places |= every_place(place, f"{name} {command}")
        else:
            places[f"{name} {command}"] = place
    return places


PLACES = every_place()
GROUPS = {name: place for name, place in PLACES.items() if isinstance(place, Group)}
COMMAND_PLACES = {name: place for name, place in PLACES.items() if isinstance(place, str)}


def is_understood(line: str) -> bool:
    words = shlex.split(line.partition(" > ")[0])
    return words[0] == "envctl" and read(words[1:], COMMANDS) is not None


@pytest.mark.parametrize("name", COMMAND_PLACES)
def test_each_command_has_two_examples_of_itself_that_work(name: str) -> None:
    examples = documentation(load(COMMAND_PLACES[name])).examples

    assert len(examples) == 2
    assert [line for line in examples if not f"{line} ".startswith(f"{name} ")] == []
    assert [line for line in examples if not is_understood(line)] == []


@pytest.mark.parametrize("name", GROUPS)
def test_each_group_has_two_examples_that_work(name: str) -> None:
    for section in GROUPS[name].sections:
        assert len(section.examples) == 2
        assert [line for line in section.examples if not is_understood(line)] == []


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_help_fits_the_terminal_and_lists_no_keys_of_json(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = help_text(name, PLACES[name]).splitlines()
    prose = [line for line in lines if not line.strip().startswith(("envctl ", "Usage:"))]

    assert [line for line in prose if len(line) > min(columns, 100)] == []
    assert "JSON:" not in "\n".join(lines)


@pytest.mark.parametrize("name", PLACES)
def test_help_is_the_same_whether_or_not_typer_shows_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = name.split()[1:]
    text = requested_help([*words, "--help"], COMMANDS)
    with pytest.raises(SystemExit):
        command_line(lambda _call: 0).main(["--quiet", *words, "-h"], prog_name="envctl")

    assert requested_help([*words, "-h"], COMMANDS) == text
    assert requested_help(["help", *words], COMMANDS) == text
    assert capsys.readouterr().out == f"{text}\n"


def test_help_of_the_program_lists_every_option_that_typer_knows() -> None:
    text = help_text("envctl", COMMANDS)
    options = [word for one in command_line(lambda _call: 0).params for word in one.opts]

    assert options
    assert [word for word in options if not re.search(f"{word}[ ,]", text)] == []


@pytest.mark.parametrize(
    "line", ["", "up", "upp --help", "exec dev web -- ls -h", "up --json --help", "help upp"]
)
def test_everything_else_is_no_request_for_help(line: str) -> None:
    assert requested_help(line.split(), COMMANDS) is None


def test_without_a_command_help_is_on_standard_error(envctl: Run) -> None:
    ended = envctl()

    assert (ended.code, ended.out) == (2, "")
    assert "Compare and lock:" in ended.err
