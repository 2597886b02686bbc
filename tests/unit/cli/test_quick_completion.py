"""The quick completion says what Typer's says, wherever it answers at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envctl.cli.app import command_line
from envctl.cli.commands import COMMANDS
from envctl.cli.front import complete
from tests.support.examples import examples

WORDS = ["up", "logs", "status", "config", "base", "build", "exec", "dev", "test", "web", "db", "d", "sta", "va",
         "-q", "--json", "-C", ".", "--set", "x=1", "--", "--js", "nobody"]  # fmt: skip


def by_typer(environ, monkeypatch, capsys) -> str:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        command_line(lambda _: 0).main([], prog_name="envctl")
    assert ended.value.code == 0
    return str(capsys.readouterr().out).removesuffix("\n")


@pytest.mark.slow
@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.sampled_from(WORDS), max_size=4), st.booleans(), st.sampled_from(["bash", "zsh"])
)
@example(words=["exec", "up", "--set"], ended=True, shell="bash")
def test_where_it_answers_typer_says_the_same(shop, monkeypatch, capsys, words, ended, shell):
    line = " ".join(["envctl", *words]) + (" " if ended else "")
    environ = {
        "_ENVCTL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - (0 if ended else 1)),
        "_TYPER_COMPLETE_ARGS": line,
    }
    quick = complete(environ, COMMANDS) if words or ended else None
    if quick is not None:
        assert quick == by_typer(environ, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("envctl sta", "status"),
        ("envctl up ", "dev\ntest"),
        ("envctl logs dev ", "web\ndb"),
        ("envctl -q logs --follow dev d", "db"),
        ("envctl base l", "list"),
    ],
)
def test_what_is_typed_most_is_answered_without_typer(shop, line, names):
    word = len(line.split(" ")) - 1
    environ = {"_ENVCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(word)}
    assert complete(environ, COMMANDS) == names


@pytest.mark.parametrize("line", ["envctl status --js", "envctl status 'd", "envctl nobody d", ""])
def test_what_it_does_not_know_is_left_to_typer(shop, line):
    environ = {"_ENVCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "2"}
    assert complete(environ, COMMANDS) is None


def test_it_asks_no_engine(shop, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    environ = {**os.environ, "_ENVCTL_COMPLETE": "complete_bash", "COMP_WORDS": "envctl up ", "COMP_CWORD": "2"}  # fmt: skip
    assert complete(environ, COMMANDS) == "dev\ntest"
