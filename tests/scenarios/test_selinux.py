"""Mounts that SELinux is to label: no harm where an engine has no SELinux, and read back from what is rendered."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
web:
  command: [sleep, infinity]
  mounts:
    ./code: /srv/code
    ./given: {target: /srv/given, read_only: true}
  options: {docker: {selinux: LABEL}}
"""


@pytest.fixture
def project(engine: object, make_project):
    made = make_project(backend="docker")
    made.write("code/page", "page")
    made.write("given/page", "given")
    return made


def test_labelled_mounts_are_there_and_are_what_the_spec_says(project):
    project.spec(SPEC.replace("LABEL", "private"))
    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr

    assert project.run("web", "cat", "/srv/code/page", "/srv/given/page")[1] == "pagegiven"
    assert project.run("web", "sh", "-c", "echo x > /srv/given/x")[0] != 0
    again = project.cli("plan", "dev", "--exit-code")
    assert again.returncode == 0, again.stdout
    verified = project.cli("verify", "dev")
    assert verified.returncode == 0, verified.stdout

    project.spec(SPEC.replace("LABEL", "shared"))
    changed = project.cli("plan", "dev", "--exit-code")
    assert changed.returncode == 3
    assert "selinux" in changed.stdout


def test_a_rendered_folder_labels_them_too(project, tmp_path):
    project.spec(SPEC.replace("LABEL", "shared"))
    folder = tmp_path / "rendered"
    assert project.cli("render", "dev", "-o", str(folder)).returncode == 0

    read = subprocess.run(
        ["docker-compose", "config", "--format", "json"],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )

    mounts = json.loads(read.stdout)["services"]["web"]["volumes"]
    assert [(one["target"], one["bind"]["selinux"]) for one in mounts] == [
        ("/srv/code", "z"),
        ("/srv/given", "z"),
    ]
