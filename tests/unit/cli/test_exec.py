"""exec, shell and logs: what they pass on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envctl.backends.base import Execution, LogLine
from envctl.cli.exec import split
from envctl.cli.moments import parse_moment
from envctl.errors import UsageError
from envctl.plan.target import Target
from tests.unit.cli.conftest import Run


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Target, str, Execution]]:
    """What was asked to be executed; each command writes and exits with 7."""
    calls: list[tuple[Target, str, Execution]] = []

    def execute(_: object, target: Target, unit: str, execution: Execution) -> int:
        calls.append((target, unit, execution))
        assert execution.stdout
        assert execution.stderr
        execution.stdout(b"out\xff\n")
        execution.stderr(b"err\n")
        return 7

    monkeypatch.setattr("envctl.verbs.exec.execute", execute)
    return calls


def test_exec_passes_on_command_settings_output_and_exit_code(
    envctl: Run, shop: Path, executed: list[tuple[Target, str, Execution]]
) -> None:
    ended = envctl(
        "exec", "-u", "root", "-w", "/srv", "-e", "A=1=2", "dev@docker", "web-2", "--", "ls", "-la", "--"
    )  # fmt: skip
    ((target, unit, execution),) = executed
    assert (target, unit) == (Target("dev", "docker"), "web-2")
    assert execution.argv == ("ls", "-la", "--")
    assert (execution.user, execution.workdir, execution.env) == ("root", "/srv", {"A": "1=2"})
    assert not execution.tty
    assert ended.code == 7
    assert (ended.out[:3], ended.err) == ("out", "err\n")


def test_exec_asks_for_a_terminal_if_told(
    envctl: Run, shop: Path, executed: list[tuple[Target, str, Execution]]
) -> None:
    envctl("exec", "-t", "dev", "web", "top")
    assert executed[0][2].tty


def test_the_only_service_needs_no_name(
    envctl: Run, shop: Path, executed: list[tuple[Target, str, Execution]]
) -> None:
    spec = "project: one\nbase: debian:bookworm\nservices: {app: {command: [sleep, '1']}}\n"
    (shop / "envctl.yaml").write_text(spec)
    envctl("exec", "dev", "--", "true")
    envctl("shell", "dev")
    assert [unit for _, unit, _ in executed] == ["app", "app"]
    assert "exec bash" in executed[1][2].argv[2]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("web ls -l", ("web", ("ls", "-l"))),
        ("web -- ls -- x", ("web", ("ls", "--", "x"))),
        ("-- ls", ("", ("ls",))),
        ("web git diff -- file", ("web", ("git", "diff", "--", "file"))),
    ],
)
def test_the_words_of_exec_are_told_apart(line: str, meant: tuple[str, tuple[str, ...]]) -> None:
    assert split(line.split(), target="dev") == meant


def test_exec_needs_a_command() -> None:
    with pytest.raises(UsageError):
        split(["web", "--"], target="dev")


@pytest.mark.parametrize("line", ["web -u root -- id", "-u root web -- id", "web -t sh"])
def test_options_behind_the_target_are_no_command(line: str) -> None:
    with pytest.raises(UsageError, match="options go before TARGET") as caught:
        split(line.split(), target="dev")
    assert caught.value.hint.startswith("envctl exec -")


def test_where_there_are_only_tasks_exec_says_so(envctl: Run, shop: Path) -> None:
    spec = "project: one\nbase: debian:bookworm\nservices: {seed: {command: [a], kind: task}}\n"
    (shop / "envctl.yaml").write_text(spec)
    ended = envctl("exec", "dev", "--", "ls")
    assert ended.code == 2
    assert "dev has only tasks" in ended.err
    assert "name one that is running: seed" in ended.err


TIMES = ("2026-01-01T00:00:00.123456789Z", "2026-01-01T02:00:01.5+02:00")
"""As Docker and a machine's journal write them."""


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> None:
    def logs(*_: object, **__: object) -> Iterator[LogLine]:
        yield LogLine("web", "one \x1b[31mred\x1b[0m\x1b[2J", time=TIMES[0])
        yield LogLine("db-2", "two\n", "stderr", time=TIMES[1])

    monkeypatch.setattr("envctl.verbs.logs.logs", logs)


def test_logs_name_the_unit_and_go_into_a_pipe_as_they_are(
    envctl: Run, shop: Path, logged: None
) -> None:
    assert envctl("logs", "dev").out == "web | one \x1b[31mred\x1b[0m\x1b[2J\ndb-2 | two\n"
    assert envctl("logs", "dev", "--no-prefix").out.endswith("\ntwo\n")


def test_logs_have_times_in_utc_if_asked_for(envctl: Run, shop: Path, logged: None) -> None:
    assert envctl("logs", "dev", "-t").out.splitlines()[1] == "db-2 | 2026-01-01T00:00:01.500Z two"
    out = envctl("logs", "dev", "--timestamps", "--no-prefix").out
    assert out.startswith("2026-01-01T00:00:00.123Z one ")


def test_logs_as_json_are_an_object_a_line(envctl: Run, shop: Path, logged: None) -> None:
    lines = [json.loads(line) for line in envctl("logs", "dev", "--json").out.splitlines()]
    assert lines == [
        {
            "unit": "web",
            "stream": "stdout",
            "time": "2026-01-01T00:00:00.123Z",
            "text": "one \x1b[31mred\x1b[0m\x1b[2J",
        },
        {"unit": "db-2", "stream": "stderr", "time": "2026-01-01T00:00:01.500Z", "text": "two"},
    ]


def test_logs_are_asked_for_between_two_moments(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, float] = {}

    def logs(*_: object, **options: float) -> Iterator[LogLine]:
        asked.update(options)
        return iter(())

    monkeypatch.setattr("envctl.verbs.logs.logs", logs)
    monkeypatch.setattr(time, "time", lambda: 100_000.0)
    envctl("logs", "dev", "--since", "1h30m", "--until", "1970-01-02T00:00:00.5Z")
    assert (asked["since"], asked["until"]) == (100_000 - 5400, 86400.5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", 999_910.0),
        ("1.5s", 999_998.5),
        ("1d1h1m1s", 1_000_000 - 86400 - 3600 - 60 - 1),
        ("1970-01-02T01:00+01:00", 86400.0),
    ],
)
def test_a_moment_is_a_duration_ago_or_a_time(
    monkeypatch: pytest.MonkeyPatch, text: str, moment: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert parse_moment("--since", text) == moment


def test_a_time_without_a_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        assert parse_moment("--since", "1970-01-02") == 86400 - 7200
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["10", "yesterday", "20240501", "m", "2024-13-01", "1m1h"])
def test_anything_else_is_not_a_moment(text: str) -> None:
    with pytest.raises(UsageError, match="neither a duration nor a time") as caught:
        parse_moment("--until", text)
    assert caught.value.brief.startswith(f"--until {text!r}")


def test_what_is_followed_has_no_end(envctl: Run, shop: Path) -> None:
    ended = envctl("logs", "dev", "-f", "--until", "1m")
    assert (ended.code, "--follow has no end" in ended.err) == (2, True)


def test_an_interrupt_ends_following_without_a_word(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def logs(*_: object, **__: object) -> Iterator[LogLine]:
        yield LogLine("web", "one")
        raise KeyboardInterrupt

    monkeypatch.setattr("envctl.verbs.logs.logs", logs)
    ended = envctl("logs", "dev", "-f")
    assert (ended.code, ended.out, ended.err) == (0, "web | one\n", "")
