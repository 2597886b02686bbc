"""A shell completes environments and services from the spec."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

TREE = Path(__file__).parents[3]


@pytest.fixture
def complete(envctl: Run, monkeypatch: pytest.MonkeyPatch):
    def completed(line: str) -> list[str]:
        monkeypatch.setenv("_ENVCTL_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return envctl().out.split()

    return completed


def test_environments_are_completed(complete, shop: Path) -> None:
    assert complete("envctl up ") == ["dev", "test"]
    assert complete("envctl up t") == ["test"]


def test_services_of_the_environment_are_completed(complete, shop: Path) -> None:
    assert complete("envctl logs dev ") == ["web", "db"]


def test_the_project_may_be_elsewhere(
    complete, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete("envctl -C shop up ") == ["dev", "test"]


def test_bases_and_verbs_are_completed(complete, shop: Path) -> None:
    assert "debian:bookworm" in complete("envctl base build debian")
    assert complete("envctl va") == ["validate"]


def test_outside_a_project_there_is_nothing_to_complete_and_no_error(
    complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete("envctl up ") == []


def put_default(shop: Path, name: str) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(f"default: {name}\n{spec}")


def test_services_of_the_default_environment_are_offered_beside_targets(
    complete, shop: Path
) -> None:
    assert complete("envctl stop ") == ["dev", "test"]
    put_default(shop, "dev")
    assert complete("envctl stop ") == ["dev", "test", "web", "db"]
    assert complete("envctl stop web ") == ["web", "db"]
    assert complete("envctl plan ") == ["dev", "test"]


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_a_service_is_offered_behind_the_target_and_nothing_behind_that(
    complete, shop: Path, verb: str
) -> None:
    assert complete(f"envctl {verb} d") == ["dev"]
    assert complete(f"envctl {verb} dev ") == ["web", "db"]
    assert complete(f"envctl {verb} dev@docker d") == ["db"]
    assert complete(f"envctl {verb} dev web ") == []
    assert complete(f"envctl {verb} dev -- d") == []
    put_default(shop, "dev")
    assert complete(f"envctl {verb} w") == ["web"]
    assert complete(f"envctl {verb} web ") == []


def test_backends_are_offered_behind_an_environment(complete, shop: Path) -> None:
    assert {"dev@docker", "dev@vagrant", "dev@memory"} <= {*complete("envctl up dev@")}
    assert complete("envctl up dev@do") == ["dev@docker"]


def test_backends_and_variables_are_offered_for_their_options(complete, shop: Path) -> None:
    assert complete("envctl doctor --backend va") == ["vagrant"]
    assert complete("envctl up dev --set ") == ["level="]
    assert complete("envctl up --set le") == ["level="]
    assert complete("envctl up --set level=") == []


def test_mistakes_in_the_spec_are_not_shown_by_a_shell_that_completes(
    envctl: Run, complete, shop: Path
) -> None:
    (shop / "envctl.yaml").write_text("services: {")
    assert complete("envctl logs dev ") == []
    assert envctl().err == ""


WAITING = """
import sys, time
import envctl.cli.front
from envctl.__main__ import main

def complete(*_):
    print("ready", flush=True)
    time.sleep(60)

envctl.cli.front.complete = complete
main()
"""


def test_an_interrupt_of_a_completion_says_nothing() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        env={**os.environ, "_ENVCTL_COMPLETE": "complete_bash", "PYTHONPATH": str(TREE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed_and_nothing_is_edited(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ended = envctl("completion", shell)
    assert (ended.code, f"complete_{shell}" in ended.out, ended.err) == (0, True, "")
    assert list(tmp_path.rglob("*")) == []


def test_no_other_shell_has_a_script(envctl: Run) -> None:
    assert envctl("completion", "tcsh").code == 2
    assert envctl("--install-completion").code == 2
