"""run: what its words mean, and what it says where nothing really runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.cli.run_command import split_words
from envctl.errors import UsageError
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("web", ("web", ())),
        ("web -- ls -l", ("web", ("ls", "-l"))),
        ("web ls -l", ("web", ("ls", "-l"))),
        ("web -- -- x", ("web", ("--", "x"))),
    ],
)
def test_a_command_follows_its_service(words: str, expected: object) -> None:
    assert split_words(words.split()) == expected


@pytest.mark.parametrize("words", ["", "-- ls"])
def test_a_service_has_to_be_named(words: str) -> None:
    with pytest.raises(UsageError, match="no service named"):
        split_words(words.split())


@pytest.mark.parametrize("words", ["web --no-deps ls", "--no-deps web"])
def test_an_option_that_comes_too_late_is_reported(words: str) -> None:
    with pytest.raises(UsageError, match="--no-deps comes too late"):
        split_words(words.split(), target="dev")


JOB = "  job: {kind: task, command: ['%s'], depends_on: [db]}\n"


@pytest.mark.slow
def test_a_task_runs_again_with_what_it_depends_on(envctl: Run, shop: Path) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(spec + JOB % "true")
    assert envctl("run", "dev", "job").code == 0
    rows = {row["unit"]: row["state"] for row in envctl("status", "dev", "--json").json}
    assert rows == {"db": "running", "web": "missing", "job": "completed"}
    again = envctl("run", "dev", "job")
    assert (again.code, "replace job" in again.err) == (0, True)


@pytest.mark.slow
def test_the_exit_code_of_a_task_that_fails_is_passed_on(envctl: Run, shop: Path) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(spec + JOB % "false")
    ended = envctl("run", "dev", "job")
    assert (ended.code, "job" in ended.err) == (1, True)
    rows = {row["unit"]: row["state"] for row in envctl("status", "dev", "--json").json}
    assert rows["job"] == "failed"


@pytest.mark.slow
def test_a_backend_that_runs_nothing_says_so(envctl: Run, shop: Path) -> None:
    ended = envctl("run", "dev", "web", "--", "ls")
    assert ended.code == 1
    assert "the memory backend does not support `envctl run`" in ended.err


@pytest.mark.slow
def test_an_unknown_service_is_reported(envctl: Run, shop: Path) -> None:
    ended = envctl("run", "dev", "wbe")
    assert ended.code == 2
