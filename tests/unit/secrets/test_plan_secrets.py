"""The secrets of a plan: which values it can be carried out with."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.errors import SpecError
from tests.support.project import Project

SPEC = "web: {command: [a], SECRETS}"
TOP = "secrets: {key: {file: key.bin}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, backend="memory", environ={})
    (tmp_path / "key.bin").write_bytes(b"a\0b")
    return made


@pytest.mark.parametrize("made_of", ["{secret: key}", "{template: 'x-${secret.key}'}"])
def test_a_value_with_a_zero_byte_becomes_no_variable_and_nothing_is_started(
    project: Project, made_of: str
) -> None:
    project.spec(SPEC.replace("SECRETS", f"env: {{KEY: {made_of}}}"), top=TOP)
    with pytest.raises(SpecError) as caught:
        project.up()
    (problem,) = caught.value.problems
    assert str(problem.where).startswith("envctl.yaml:")
    assert problem.message == "secret key contains a NUL byte, and KEY of web is made of it"
    assert "secrets: [key]" in problem.hint
    assert project.states() == {"web": "missing"}


def test_as_a_file_the_value_may_have_any_byte(project: Project) -> None:
    project.spec(SPEC.replace("SECRETS", "secrets: [key]"), top=TOP)
    assert project.up() == ["build web", "create web"]
    project.down()
