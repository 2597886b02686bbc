"""restart and `up --recreate`, on the memory backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow


def changes(envctl: Run, *words: str) -> list[str]:
    ended = envctl(*words, "--json")
    assert ended.code == 0, ended.err
    return [f"{change['action']} {change['unit']}" for change in ended.json["changes"]]


def test_restart_takes_what_depends_on_it_too(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    assert changes(envctl, "restart", "dev", "db") == ["restart db", "restart web"]
    assert changes(envctl, "restart", "dev", "db", "--no-deps") == ["restart db"]
    assert changes(envctl, "restart", "dev") == ["restart db", "restart web"]
    assert changes(envctl, "up", "dev") == []


def test_restart_applies_what_changed_in_the_spec_of_what_it_restarts(
    envctl: Run, shop: Path
) -> None:
    envctl("up", "dev")
    (shop / "environments" / "dev.yaml").write_text("backend: memory\nvars: {level: debug}\n")
    assert changes(envctl, "restart", "dev", "web") == ["replace web"]


def test_restart_of_what_is_not_up_says_how_to_bring_it_up(envctl: Run, shop: Path) -> None:
    ended = envctl("restart", "dev")
    assert (ended.code, "envctl up dev" in ended.err) == (1, True)
    envctl("up", "dev", "db")
    ended = envctl("restart", "dev", "web")
    assert (ended.code, "web of dev is not up" in ended.err) == (1, True)


def test_restart_of_an_unknown_service_or_of_a_task_is_wrong_usage(envctl: Run, shop: Path) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(f"{spec}  job: {{kind: task, command: ['true']}}\n")
    envctl("up", "dev")
    ended = envctl("restart", "dev", "dbb")
    assert (ended.code, "did you mean 'db'" in ended.err) == (2, True)
    ended = envctl("restart", "dev", "job")
    assert (ended.code, "`envctl run dev job` runs it again" in ended.err) == (2, True)


def test_recreate_replaces_the_named_service_alone(envctl: Run, shop: Path) -> None:
    envctl("up", "dev")
    assert changes(envctl, "up", "dev", "web", "--recreate") == ["replace web"]
    assert changes(envctl, "up", "dev", "--recreate") == ["replace db", "replace web"]
