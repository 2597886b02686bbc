"""Copied files in whose place a unit sees a folder of the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl import files
from envctl.plan.model import Build, CopyFiles
from tests.unit.planner.conftest import Planner

APP = "{copy: {from: app, to: /srv/web/}}"


def copies(plan, name: str = "web") -> list[CopyFiles]:
    source = plan.unit(name).source
    assert isinstance(source, Build)
    return [step for step in source.steps if isinstance(step, CopyFiles)]


def service(build: str, mounts: str) -> str:
    return f"  web: {{command: [a], build: [{build}], mounts: {mounts}}}\n"


@pytest.mark.parametrize(
    "mounts",
    ["{./app: /srv/web}", "{./app: /srv}", "{./app: {target: /srv/web, read_only: true}}"],
)
def test_an_edit_of_what_a_mount_covers_is_no_other_build(
    planned: Planner, app: Path, mounts: str
) -> None:
    text = service(APP, mounts)
    first = planned(text)
    (app / "main.py").write_text("changed\n")
    (app / "new.py").write_text("new\n")
    assert list(planned(text).builds()) == list(first.builds())
    (copy,) = copies(first)
    assert copy.tree.entries == ()
    (note,) = copy.tree.notes
    assert "is left out of the image, since app is mounted there (envctl.yaml:4:" in note


def test_without_the_mount_it_is(planned: Planner, app: Path) -> None:
    text = service(APP, "{./app: /elsewhere}")
    first = planned(text)
    (app / "main.py").write_text("changed\n")
    assert list(planned(text).builds()) != list(first.builds())
    assert copies(first)[0].tree.notes == ()


def test_what_is_beside_the_mount_counts(planned: Planner, app: Path) -> None:
    (app / "live").mkdir()
    (app / "live" / "page").write_text("one")
    text = service(APP, "{./app/live: /srv/web/live}")
    first = planned(text)
    (app / "live" / "page").write_text("two")
    assert list(planned(text).builds()) == list(first.builds())
    (app / "main.py").write_text("changed\n")
    assert list(planned(text).builds()) != list(first.builds())


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        ("run: make install", True),
        ("pip: {venv: /opt/web, requirements: /srv/web/requirements.txt}", True),
        ("pip: {venv: /opt/web, packages: [flask]}", False),
        ("npm: {directory: /srv/web}", True),
        ("npm: {packages: [serve]}", False),
        ("npm: {directory: /srv/other}", False),
        ("copy: {from: app/web.j2, to: /etc/x}", False),
    ],
)
def test_what_a_later_step_may_read_counts(
    planned: Planner, app: Path, later: str, counts: bool
) -> None:
    text = service(f"{APP}, {{{later}}}", "{./app: /srv/web}")
    first = planned(text)
    (app / "main.py").write_text("changed\n")
    assert (list(planned(text).builds()) != list(first.builds())) is counts


def test_a_file_that_a_mount_covers_leaves_the_folder_that_it_is_in(
    planned: Planner, app: Path
) -> None:
    (app / "app.conf").write_text("x")
    for to, mount in (
        ("/etc/app/app.conf", "/etc/app/app.conf"),
        ("/etc/app/", "/etc/app/app.conf"),
    ):
        text = service(
            f"{{copy: {{from: app/app.conf, to: {to}}}}}", f"{{./app/app.conf: {mount}}}"
        )
        (copy,) = copies(planned(text))
        assert (copy.target, copy.tree.entries) == ("/etc/app/", ())


def test_services_that_copy_the_same_are_planned_from_one_look(
    planned: Planner, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    real = files.hash_copy

    def looking(root, relative, **given):
        looks.append(relative)
        return real(root, relative, **given)

    monkeypatch.setattr(files, "hash_copy", looking)
    text = "".join(f"  web{n}: {{command: [a], build: [{APP}]}}\n" for n in range(5))
    text += "  bare: {command: [a], build: [{copy: {from: app, to: /x, exclude: ['*.j2']}}]}\n"
    plan = planned(text)
    assert len(looks) == 2
    assert [len(copies(plan, name)[0].tree.entries) for name in ("web0", "web4", "bare")] == [
        2,
        2,
        1,
    ]
