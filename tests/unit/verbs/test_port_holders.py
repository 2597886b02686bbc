"""A port that another environment of the project has is explained by that, not by a search for programs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from envctl.backends.common.port_conflict import port_taken
from envctl.backends.memory import MemoryBackend
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change
from envctl.plan.target import Target
from envctl.verbs.port_holders import explained
from tests.support.project import Project

DEV, TEST = Target("dev"), Target("test")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = Project(tmp_path, backend="memory", environ={})
    project.spec('web: {image: x, ports: ["18080:80"]}')
    return project.write("environments/test.yaml", "backend: memory\n")


def test_the_projects_own_unit_that_has_a_port_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.workspace().up(TEST)
    apply = MemoryBackend.apply

    def taken(self: MemoryBackend, change: Change) -> None:
        if change.action is Action.CREATE:
            raise port_taken(change.target, 18080, message="address already in use")  # type: ignore[arg-type]
        apply(self, change)

    monkeypatch.setattr(MemoryBackend, "apply", taken)
    with pytest.raises(EnvctlError) as refused:
        project.workspace().up(DEV)
    assert refused.value.brief == (
        "cannot start web: port 18080 is already in use by web of test@memory"
    )
    assert "`envctl down test@memory` frees it" in refused.value.hint
    assert "lsof" not in refused.value.hint
    assert str(refused.value.where) == "envctl.yaml:4:27"


def test_another_checkouts_unit_that_has_a_port_is_named_with_its_folder(
    project: Project, tmp_path: Path
) -> None:
    project.workspace().up(TEST)
    other = Project(tmp_path / "other", backend="memory", environ={}, name=project.name)
    other.spec('web: {image: x, ports: ["18080:80"]}')
    session = other.workspace().open(DEV)
    [unit] = session.plan.units
    error = explained(session, port_taken(unit, 18080))
    assert error.brief.endswith(f"in use by web of test@memory in {project.root}")
    assert error.hint.startswith(
        f"`envctl down test@memory` in {project.root} frees it; or `envctl up --free-ports`"
    )
    project.workspace().down(TEST)
    assert "test@memory" not in explained(session, port_taken(unit, 18080)).brief


def test_a_process_that_has_a_port_is_named_with_its_folder(project: Project) -> None:
    session = project.workspace().open(DEV)
    [unit] = session.plan.units
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = explained(session, port_taken(unit, port))
    assert f"process {os.getpid()}, in {Path.cwd()}" in error.brief
    assert "lsof" not in error.hint


def test_a_port_that_nobody_is_seen_to_have_is_left_to_a_search(project: Project) -> None:
    session = project.workspace().open(DEV)
    [unit] = session.plan.units
    assert "lsof -i :18081" in explained(session, port_taken(unit, 18081)).hint
    known = port_taken(unit, 18080, by="the container x", remedy="stop it")
    assert explained(session, known) is known
    other = EnvctlError("no")
    assert explained(session, other) is other
