"""Services with profiles are left out, unless one is chosen or somebody needs the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.errors import UsageError
from envctl.planner.selection import inactive_services
from tests.support.project import Project
from tests.unit.definition.helpers import HEAD, load

SERVICES = (
    "  web: {command: [a], depends_on: [cache]}\n"
    "  cache: {command: [a], profiles: [never]}\n"
    "  shell: {command: [a], profiles: [debug, tools], depends_on: [tracer]}\n"
    "  tracer: {command: [a], profiles: [debug]}\n"
    "  seed: {command: [a], profiles: [tools]}\n"
)


@pytest.mark.parametrize(
    ("profiles", "services", "inactive"),
    [
        ([], [], {"shell", "tracer", "seed"}),
        (["debug"], [], {"seed"}),
        (["tools"], [], set()),
        ([], ["shell"], {"seed"}),
        ([], ["seed"], {"shell", "tracer"}),
    ],
)
def test_who_is_left_out(
    tmp_path: Path, profiles: list[str], services: list[str], inactive: set[str]
) -> None:
    resolved = load(tmp_path, f"{HEAD}services:\n{SERVICES}")
    assert inactive_services(resolved, profiles, services) == inactive


def test_an_unknown_profile_is_a_mistake(tmp_path: Path) -> None:
    resolved = load(tmp_path, f"{HEAD}services:\n{SERVICES}")
    with pytest.raises(UsageError) as caught:
        inactive_services(resolved, ["debgu"], [])
    assert caught.value.hint == "did you mean 'debug'?"


def test_up_leaves_it_out_and_leaves_it_alone_if_it_is_there(tmp_path: Path) -> None:
    project = Project(tmp_path, backend="memory")
    services = "web: {command: [a]}\nshell: {command: [a], profiles: [debug], env: {A: %d}}\n"
    project.spec(services % 1)

    assert project.up() == ["build web", "create web"]
    assert project.states() == {"web": "running"}
    assert project.up("shell") == ["build shell", "create shell"]
    assert project.up() == []
    assert project.spec(services % 2).up() == []
    assert project.states() == {"web": "running", "shell": "running"}
    assert project.up("shell") == ["replace shell"]
    assert project.cli("up", "--profile", "debug").returncode == 0
    assert project.cli("plan", "--profile", "debgu").returncode == 2
    project.spec("web: {command: [a]}")
    assert project.up() == ["remove shell"]
    project.down()
