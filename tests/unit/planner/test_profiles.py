"""Services with profiles are left out, unless one is chosen or somebody needs the service."""

from __future__ import annotations

import re
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


def test_who_looks_knows_a_service_of_a_profile_while_it_exists(tmp_path: Path) -> None:
    project = Project(tmp_path, backend="memory")
    project.spec("""
        web: {command: [a]}
        shell: {command: [a], profiles: [debug], env: {A: x}, ports: ["8000"], depends_on: [web]}
        seed: {kind: task, command: [a], profiles: [debug]}
        other: {command: [a], profiles: [debug]}
    """)

    project.up()
    assert project.states() == {"web": "running"}
    assert project.workspace().run_task(project.target, "seed").exit_code == 0
    project.up("shell")

    rows = {row.unit: row for row in project.workspace().status(project.target)}
    assert {unit: (row.kind, row.state) for unit, row in rows.items()} == {
        "web": ("service", "running"),
        "shell": ("service", "running"),
        "seed": ("task", "completed"),
    }
    described = project.workspace().describe(project.target)
    assert {unit.source for unit in described.units} == {"on debian:bookworm"}
    assert {*project.workspace().verify(project.target).units} == {"web", "shell", "seed"}
    assert [change.unit for change in project.workspace().restart(project.target).changes] == [
        "web",
        "shell",
    ]
    out = project.cli("env", "dev").stdout
    assert "SHELL_PORT=" in out, out
    project.down()


@pytest.mark.slow
def test_a_service_of_a_profile_that_is_not_up_is_reported_as_that(tmp_path: Path) -> None:
    project = Project(tmp_path, backend="memory")
    project.spec("""
        web: {command: [a]}
        seed: {kind: task, command: [a], profiles: [debug]}
    """)
    project.up()

    for words in (["logs", "seed"], ["exec", "dev", "seed", "--", "a"]):
        done = project.cli(*words)
        assert "seed of dev is not up" in done.stderr, (words, done.stderr)
        assert "`envctl up dev seed`" in done.stderr
    assert re.search("seed +missing", project.cli("status", "seed").stdout)
    assert project.cli("stop", "dev", "seed").returncode == 0

    assert project.workspace().run_task(project.target, "seed").exit_code == 0
    assert "seed is a task and has completed" in project.cli("exec", "seed", "--", "a").stderr
    project.down()
