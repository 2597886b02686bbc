"""Which environments are known to mount the same, without resolving each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl import definition
from envctl.trust.declared_access import mounted_by
from tests.support.project import Project

BASE = "web: {packages: [aa, bb], command: [x], mounts: {./app: /app}}\ndb: {packages: [aa, cc], command: [y]}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "app").mkdir()
    return Project(tmp_path, backend="memory", environ={}).spec(BASE, top="vars: {v: a}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backend: memory\n",
        "services: {web: {env: {A: b}, packages: [dd]}, new: {command: [z]}}\n",
        "secrets: {s: {env: A}}\n",
    ],
)
def test_an_overlay_that_says_nothing_of_mounts_is_like_the_others(project, text):
    project.write("environments/one.yaml", text)

    assert list(definition.alike(project.root)) == ["dev", "one"]


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {mounts: {}}}\n",
        "services: {web: null}\n",
        "services: {web: }\n",
        "services: {new: {extends: web}}\n",
        "services: {db: {image: x}}\n",
        "services: {db: {base: debian:trixie}}\n",
        "base: debian:trixie\n",
        "vars: {v: b}\n",
        "vars_file: .env\n",
        '"\\x73ervices": {web: {"\\x6dounts": {}}}\n',
        "x-one: &one {mounts: {}}\nservices: {web: *one}\n",
        "x-one: &one {mounts: {}}\nservices: {web: {<<: *one}}\n",
        "services: [\n",
    ],
)
def test_one_that_may_change_them_or_cannot_be_read_is_looked_at_by_itself(project, text):
    project.write("environments/one.yaml", text)

    assert list(definition.alike(project.root)) == ["dev"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large"])
def test_what_is_no_plain_file_is_not_waited_for_and_looked_at_by_itself(project, kind):
    one = project.root / "environments/one.yaml"
    match kind:
        case "link":
            one.symlink_to("dev.yaml")
        case "pipe":
            os.mkfifo(one)
        case "folder":
            one.mkdir()
        case "large":
            one.write_text("#" * 5_000_000)

    assert list(definition.alike(project.root)) == ["dev"]


KEYS = {
    "packages": st.sampled_from(["[dd]", "!append [dd]", "[]", "null"]),
    "env": st.just("{A: b}"),
    "mounts": st.sampled_from(["{}", "{./app: /b}"]),
    "extends": st.just("db"),
}
SERVICES = st.dictionaries(
    st.sampled_from(["web", "new"]),
    st.one_of(st.just("null"), st.fixed_dictionaries({}, optional=KEYS)),
    max_size=2,
)


def written(services: dict[str, str | dict[str, str]]) -> str:
    parts = [
        f"  {name}: {one if isinstance(one, str) else '{' + ', '.join(f'{key}: {value}' for key, value in one.items()) + '}'}\n"
        for name, one in services.items()
    ]
    return "services:\n" + "".join(parts) if parts else "backend: memory\n"


@given(overlays=st.lists(SERVICES, max_size=3))
def test_a_look_finds_the_mounts_that_reading_every_environment_does(tmp_path_factory, overlays):
    project = Project(tmp_path_factory.mktemp("p"), backend="memory", environ={}).spec(BASE)
    (project.root / "app").mkdir()
    for number, services in enumerate(overlays):
        project.write(f"environments/e{number}.yaml", written(services))

    workspace = project.workspace()
    every, looked = (
        set(mounted_by(workspace.environments(), workspace.resolved, alike=alike))
        for alike in ((), workspace.alike)
    )

    # One that cannot be read is taken to mount what the others do.
    readable = {mounted.environment for mounted in every}
    assert {mounted for mounted in looked if mounted.environment in readable} == every != set()


def test_of_environments_that_are_alike_one_that_has_problems_hides_nothing(project):
    project.write("environments/a.yaml", "services: {web: {enw: {A: b}}}\n")
    workspace = project.workspace()

    found = list(mounted_by(["a", "dev"], workspace.resolved, alike=workspace.alike))

    assert list(workspace.alike) == ["a", "dev"]
    assert [(mounted.environment, mounted.target) for mounted in found] == [("dev", "/app")]
