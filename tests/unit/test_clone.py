"""A clone that is only looked at: nothing outside of it is read, whatever its links lead to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.plan.target import Target
from tests.support.project import Project

DEV = Target("dev", "memory")
SECRET = "hunter2: the-user's-own"
LOOKS = {
    "validate": lambda work: work.validate(),
    "plan": lambda work: work.changes(DEV),
    "config": lambda work: work.resolved("dev"),
    "diff": lambda work: work.diff(DEV, DEV),
    "render": lambda work: work.render(DEV),
    "status": lambda work: work.status(DEV),
    "verify": lambda work: work.verify(DEV),
}


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    (tmp_path / "clone").mkdir()
    project = Project(tmp_path / "clone", backend="memory")
    (tmp_path / "outside").write_text(SECRET)
    return project.spec("web: {command: [serve]}")


def replace(project: Project, path: str, *, to: str | Path) -> None:
    """Put a link in the place of a file of the project."""
    file = project.root / path
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(to)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("verb", [verb for verb in LOOKS if verb != "status"])
@pytest.mark.parametrize("to", ["outside", "/dev/zero"])
@pytest.mark.parametrize("path", ["envctl.yaml", "environments/dev.yaml"])
def test_a_spec_file_that_leads_outside_is_refused_without_its_content(clone, verb, path, to):
    target = clone.root.parent / to
    replace(clone, path, to=target)
    with pytest.raises(EnvctlError) as caught:
        LOOKS[verb](clone.workspace())
    shown = f"{caught.value} {caught.value.details}"
    assert f"{path} leads outside the project" in shown
    assert str(target) in shown
    assert "hunter2" not in shown


def test_a_folder_of_environments_that_leads_outside_is_refused(clone):
    (clone.root.parent / "theirs").mkdir()
    (clone.root.parent / "theirs" / "dev.yaml").write_text(SECRET)
    (clone.root / "environments" / "dev.yaml").unlink()
    (clone.root / "environments").rmdir()
    replace(clone, "environments", to="../theirs")
    for act in (clone.workspace().environments, clone.workspace().validate):
        with pytest.raises(EnvctlError, match="environments leads outside the project"):
            act()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("to", ["../outside", "/dev/zero"])
def test_a_lock_that_leads_outside_is_refused_without_its_content(clone, to):
    replace(clone, "envctl.lock", to=to)
    with pytest.raises(EnvctlError) as caught:
        clone.workspace().check_lock()
    assert "envctl.lock leads outside the project" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.details}"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("to", ["../../outside", "/dev/zero", "/dev/tty"])
def test_an_ignore_file_that_leads_outside_is_refused_at_once(clone, to):
    clone.write("app/Dockerfile", "FROM scratch\n")
    clone.spec("web: {dockerfile: app/Dockerfile}")
    replace(clone, "app/.dockerignore", to=to)
    with pytest.raises(EnvctlError, match=r"app/\.dockerignore leads outside the project"):
        clone.workspace().plan(DEV)


@pytest.mark.timeout(60)
def test_an_ignore_file_that_is_a_pipe_is_refused_at_once(clone):
    clone.write("app/Dockerfile", "FROM scratch\n")
    clone.spec("web: {dockerfile: app/Dockerfile}")
    os.mkfifo(clone.root / "app/.dockerignore")
    with pytest.raises(EnvctlError, match=r"app/\.dockerignore is a pipe"):
        clone.workspace().plan(DEV)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("to", ["../../../outside", "/dev/zero", "pipe"])
def test_a_template_of_the_project_s_own_that_leads_outside_or_waits_is_refused(clone, to):
    clone.write("templates/memory/other", "x")
    if to == "pipe":
        os.mkfifo(clone.root / "templates/memory/plan.txt.j2")
    else:
        replace(clone, "templates/memory/plan.txt.j2", to=to)
    with pytest.raises(
        EnvctlError, match=r"templates/memory/plan\.txt\.j2 (leads|is a pipe)"
    ) as caught:
        clone.workspace().render(DEV)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "../../outside"])
def test_a_template_includes_nothing_from_outside(clone, name):
    clone.write("templates/memory/plan.txt.j2", f"{{% include {name!r} %}}")
    with pytest.raises(EnvctlError) as caught:
        clone.workspace().render(DEV)
    assert "hunter2" not in str(caught.value)


def test_a_spec_file_that_is_a_link_within_the_project_is_fine(clone):
    (clone.root / "environments/dev.yaml").rename(clone.root / "shared.yaml")
    replace(clone, "environments/dev.yaml", to="../shared.yaml")
    assert clone.workspace().validate() == ("dev",)
