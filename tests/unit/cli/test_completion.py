"""A shell completes environments and services from the spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


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


def test_the_completion_script_can_be_shown(envctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ENVCTL_COMPLETE", "source_bash")
    assert "_ENVCTL_COMPLETE" in envctl().out
