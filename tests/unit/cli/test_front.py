"""The quick reader agrees with Typer wherever it answers at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl.cli.app import command_line
from envctl.cli.commands import COMMANDS
from envctl.cli.declare import Argument, Group, Option, load, parameters
from envctl.cli.front import Call, read
from tests.support.examples import examples

pytestmark = pytest.mark.slow

VALUES = ["dev", "dev@docker", "web", "x=1", "3", "0", "-1", "", "-", "--", "up", ".", "a b", "ü"]


def every_command(
    group: Group = COMMANDS, before: tuple[str, ...] = ()
) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for name, place in group.commands.items():
        if isinstance(place, Group):
            found |= every_command(place, (*before, name))
        else:
            found[(*before, name)] = place
    return found


EVERY = every_command()


def by_typer(words: list[str]) -> Call:
    """The call Typer makes of these words; fails the test if it makes none."""
    calls: list[Call] = []

    def run(call: Call) -> int:
        calls.append(call)
        return 0

    with pytest.raises(SystemExit) as ended:
        command_line(run).main(words, prog_name="envctl")
    assert ended.value.code == 0
    return calls[0]


def words_of(place: str) -> list[str]:
    """Every word a command's options can be written with, and some that mean nothing."""
    words = [*VALUES, "--help", "-z", "--jso"]
    for one in parameters(load(place)):
        if isinstance(one.what, Option):
            for word in one.what.words:
                words += [word, f"{word}=3", f"{word}3", f"{word}="]
    return words


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(sorted(EVERY)))
    top = st.sampled_from(["-q", "--debug", "-C", "--set", "x=2", "sub", "--no-color", "-C=sub"])
    before = draw(st.lists(top, max_size=2))
    after = draw(st.lists(st.sampled_from(words_of(EVERY[name])), max_size=6))
    return [*before, *name, *after]


GOOD = {str: ["dev", "dev@docker", "a b", "x=1", "ü"], Path: [".", "out/x", "~"], int: ["0", "007"]}


@st.composite
def usual_lines(draw: st.DrawFn) -> list[str]:
    """Well-formed command lines: any options of a command, in any place, and arguments."""
    name = draw(st.sampled_from(sorted(EVERY)))
    pieces: list[list[str]] = []
    known = parameters(load(EVERY[name]))
    for one in draw(st.lists(st.sampled_from(known), max_size=4)):
        value = draw(st.sampled_from(GOOD.get(one.type, [""])))
        if isinstance(one.what, Argument):
            pieces.append([value])
            continue
        word = draw(st.sampled_from(sorted(one.what.words)))
        if one.type is bool:
            pieces.append([word])
        elif word.startswith("--") and draw(st.booleans()):
            pieces.append([f"{word}={value}"])
        else:
            pieces.append([word, value])
    return [*name, *(word for piece in draw(st.permutations(pieces)) for word in piece)]


@settings(max_examples=examples(600), deadline=None)
@given(usual_lines() | command_lines())
def test_what_the_quick_reader_understands_typer_understands_the_same(words: list[str]) -> None:
    call = read(words, COMMANDS)
    if call is not None:
        assert call == by_typer(words)


@pytest.mark.parametrize(
    "line",
    [
        "config dev",
        "config",
        "config dev --json --origins",
        "-C . --set a=b config dev --set=c=d",
        "up dev web db --json -q",
        "status --json",
        "logs dev web -f --tail 5 --no-prefix",
        "exec -T -u root -e A=1 -e B=2 dev web -- ls -la --color",
        "exec dev web sh -c true",
        "exec -- ls -la",
        "exec -u root -- ls",
        "exec web -- ls",
        "base inspect debian:bookworm --json",
        "render dev -o out --with-host-ca",
        "init my-project --name my",
        "doctor --fix --backend docker",
    ],
)
def test_usual_command_lines_do_not_need_typer_and_mean_the_same(line: str) -> None:
    words = line.split()
    call = read(words, COMMANDS)
    assert call is not None
    assert call == by_typer(words)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "--version",
        "up --help",
        "upp",
        "up -x",
        "logs -fq dev",
        "logs --tail=x dev",
        "render dev",
        "base",
        "config dev extra",
        "config --jso dev",
        "config -- dev",
        "logs -n -1",
    ],
)
def test_everything_else_is_left_to_typer(line: str) -> None:
    assert read(line.split(), COMMANDS) is None


def test_every_command_is_declared_with_help_for_every_parameter() -> None:
    for place in EVERY.values():
        function = load(place)
        assert function.__doc__
        for one in parameters(function):
            assert one.what.help.endswith(".")
