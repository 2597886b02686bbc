"""Words that other tools have for commands lead to ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envctl import __version__
from envctl.cli.commands import COMMANDS
from envctl.cli.front import read
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow

ISSUED = ["ps", "ls", "rm", "start", "ssh", "reload", "halt", "destroy", "provision"]


@pytest.mark.parametrize("word", ISSUED)
def test_a_word_of_another_tool_is_an_alias_or_is_answered(word: str) -> None:
    assert (word in COMMANDS.aliases) + (word in COMMANDS.foreign) + (
        word in COMMANDS.commands
    ) == 1


def test_no_word_means_two_things() -> None:
    assert not COMMANDS.commands.keys() & {*COMMANDS.aliases, *COMMANDS.foreign}
    assert not COMMANDS.aliases.keys() & COMMANDS.foreign.keys()


@pytest.mark.parametrize(("alias", "name"), COMMANDS.aliases.items())
def test_an_alias_is_the_command_itself_in_the_quick_reader_and_in_typer(
    envctl: Run, alias: str, name: str
) -> None:
    call = read([alias], COMMANDS)
    assert call is not None
    assert call == read([name], COMMANDS)
    assert f"Usage: envctl {alias} " in envctl(alias, "--help").out
    assert "No such option" in envctl(alias, "--nonsense").err


def test_an_alias_does_what_the_command_does(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    assert envctl("ps", "dev").out == envctl("status", "dev").out
    assert "# stop web" in envctl("halt", "dev").out


@pytest.mark.parametrize("word", COMMANDS.foreign)
def test_a_word_that_means_something_else_here_is_an_error_that_names_ours(
    envctl: Run, shop: Path, word: str
) -> None:
    ended = envctl(word, "dev", "--force")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: there is no command {word!r}\nhint: {COMMANDS.foreign[word]}\n"
    for line in re.findall(r"`envctl ([^`]+)`", COMMANDS.foreign[word]):
        assert read(line.split(), COMMANDS) is not None


def test_help_lists_neither(envctl: Run) -> None:
    names = re.findall(r"^  ([a-z-]+) ", envctl("--help").out, re.MULTILINE)
    assert not {*names} & {*COMMANDS.aliases, *COMMANDS.foreign}


def test_version_tells_what_envctl_runs_on(envctl: Run) -> None:
    first, second = envctl("version").out.splitlines()
    assert first == envctl("--version").out.strip() == f"envctl {__version__}"
    assert second.startswith("Python 3.")
    assert {*envctl("version", "--json").json} == {"envctl", "python", "system"}
