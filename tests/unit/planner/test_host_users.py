"""Whose files those are that a service writes into the project: its owner's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envctl.backends.common.mount_points import make_mount_points
from envctl.plan.model import Mount, Run, Volume
from tests.unit.planner.conftest import Planner, lines

NUMBERS = (12345, 23456)


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    """The owner's numbers, who is not root."""
    (tmp_path / "app").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path, *NUMBERS)
    owner = tmp_path.stat()
    return f"{owner.st_uid}:{owner.st_gid}"


def users(planned: Planner, services: str, name: str = "web") -> list[str]:
    """The users that the build of a service makes."""
    steps = (line.removeprefix("  step ") for line in lines(planned(services), name))
    return [step for step in steps if step.startswith("user ")]


def test_a_service_that_can_write_into_the_project_writes_as_its_owner(
    planned: Planner, numbers: str
) -> None:
    mounts = "mounts: {./app: /srv}"
    assert users(planned, f"  web: {{command: [a], {mounts}}}\n") == [f"user web ({numbers})"]


@pytest.mark.parametrize(
    "keys",
    [
        "mounts: {./app: {target: /srv, read_only: true}}",
        "mounts: {/usr/share: /srv}",
        "mounts: {}",
    ],
)
def test_others_have_a_number_of_their_own(planned: Planner, numbers: str, keys: str) -> None:
    assert users(planned, f"  web: {{command: [a], {keys}}}\n") == ["user web (38689)"]


def test_the_spec_decides(planned: Planner, numbers: str) -> None:
    services = (
        "  web: {command: [a], user: {uid: host}}\n"
        "  api: {command: [a], user: {name: me, uid: 3000}, mounts: {./app: /srv}}\n"
    )
    assert users(planned, services) == [f"user web ({numbers})"]
    assert users(planned, services, "api") == ["user me (3000)"]


def test_users_of_one_name_are_one_user(planned: Planner, numbers: str) -> None:
    services = (
        "  web: {command: [a], user: app, mounts: {./app: /srv}}\n"
        "  job: {command: [b], user: app}\n"
    )
    assert users(planned, services) == users(planned, services, "job") == [f"user app ({numbers})"]


def test_an_image_is_run_with_the_numbers(planned: Planner, numbers: str) -> None:
    plan = planned("  web: {image: redis, user: {uid: host}}\n")
    assert plan.unit("web").run.process.user == numbers


@pytest.mark.as_root
def test_no_service_becomes_root_by_the_way(planned: Planner, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    services = "  web: {command: [a], user: {uid: host}, mounts: {./app: /srv}}\n"
    assert users(planned, services) == ["user web (38689)"]


def test_what_is_mounted_over_in_the_project_is_made_as_its_owner(tmp_path: Path) -> None:
    folder, other = tmp_path / "code", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "link").symlink_to(other)
    (tmp_path / "file").touch()
    if os.geteuid() == 0:
        os.chown(folder, *NUMBERS)
    run = Run(
        mounts=(Mount(str(folder), "/srv"), Mount(str(tmp_path / "file"), "/srv/conf/file")),
        volumes=tuple(
            Volume(name, target)
            for name, target in {
                "a": "/srv/web/node_modules",
                "b": "/srv/link/x",
                "c": "/var/data",
            }.items()
        ),
    )

    make_mount_points(run)
    make_mount_points(run)

    made = [path for path in sorted(folder.rglob("*")) if not path.is_symlink()]
    names = [path.relative_to(folder).as_posix() for path in made]
    assert names == ["conf", "conf/file", "web", "web/node_modules"]
    assert (folder / "conf" / "file").is_file()
    assert {path.stat().st_uid for path in made} == {folder.stat().st_uid}
    assert list(other.iterdir()) == []
