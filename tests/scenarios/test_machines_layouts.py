"""Boxes that another version of Vagrant added, at another place: machines are made of them, and nothing anew."""

from __future__ import annotations

import pytest

from envctl.backends.vagrant.box import box_files

pytestmark = [
    pytest.mark.engine,
    pytest.mark.machines,
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(1800),
]

SPEC = """
web:
  command: [sleep, infinity]
  build:
    - run: "echo NAME > /srv/made"
"""


def test_a_box_that_vagrant_keeps_by_architecture_makes_a_machine(machines, make_project):
    project = make_project(backend="vagrant")
    project.spec(SPEC.replace("NAME", project.name))
    up(project)
    (digest,) = project.workspace().plan(project.target).builds()
    ((box, folder),) = box_files.find(f"envctl-{digest}-*")
    made = (folder / "box.img").stat()
    by_architecture = folder.parents[0] / "amd64/libvirt"
    if folder.parent.name == "0":
        by_architecture.parent.mkdir()
        folder.rename(by_architecture)

    assert project.cli("down", "dev").returncode == 0
    assert "build" not in up(project)

    # Wherever the Vagrant that is installed has it: it is the same file.
    now = (box_files.box_folder(box) / "box.img").stat()
    assert (now.st_ino, now.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    assert project.run("web", "cat", "/srv/made")[1].strip() == project.name
    assert project.cli("plan", "dev", "--exit-code").returncode == 0


def up(project) -> str:
    """Bring the environment up, and tell what was said."""
    done = project.cli("up", "dev", timeout=1200)
    assert done.returncode == 0, done.stderr
    return f"{done.stdout}{done.stderr}"
