"""What is said where there is nothing to be entered, and of a port that the project itself holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.backends.base import Execution
from envctl.errors import EnvctlError
from envctl.plan.target import Target
from tests.support.project import Project

DEV = Target("dev")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, backend="memory", environ={})


def entered(project: Project, unit: str) -> EnvctlError:
    with pytest.raises(EnvctlError) as refused:
        project.workspace().exec(DEV, unit, Execution(("ls",)))
    return refused.value


def test_a_task_that_has_completed_cannot_be_entered_nor_brought_up(project: Project) -> None:
    project.spec("job: {kind: task, command: [a]}\nweb: {command: [a]}").workspace().up(DEV)
    error = entered(project, "job")
    assert error.brief == "job is a task and has completed: nothing runs in it any more"
    assert error.hint == "`envctl logs dev job` shows what it wrote"


def test_a_task_that_has_failed_is_reported_with_its_exit_code(project: Project) -> None:
    project.spec('job: {kind: task, command: ["false"]}')
    with pytest.raises(EnvctlError):
        project.workspace().up(DEV)
    assert "has failed (exit code 1)" in entered(project, "job").brief


def test_a_service_that_has_ended_is_to_be_brought_up(project: Project) -> None:
    project.spec('web: {command: ["false"]}')
    with pytest.raises(EnvctlError):
        project.workspace().up(DEV)
    assert entered(project, "web").hint == "bring it up with `envctl up dev`"


def test_why_a_unit_failed_is_reported_once(project: Project) -> None:
    project.spec('web: {command: ["false"]}')
    with pytest.raises(EnvctlError) as failed:
        project.workspace().up(DEV)
    told = [event.text for event in project.events] + str(failed.value).split("\n")
    assert sum("exit code 1" in text for text in told) == 1
