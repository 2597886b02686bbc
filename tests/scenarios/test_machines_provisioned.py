"""Builds done in a machine, for those without a container engine: told, kept, and taken up after a kill."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pytest

from envctl.backends.vagrant.names import vagrant_home
from tests.support.machines import NOTHING, left_of, virsh
from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]

SPEC = """
web:
  packages: PACKAGES
  build:
    - run: "mkdir /run/own; echo NAME > /run/own/file; echo about to end"
    - run: "sleep 3; exit CODE"
  command: [sleep, infinity]
"""
TOP = "options: {vagrant: {build: provision}}\n"


@pytest.fixture
def project(machines, make_project):
    return make_project(backend="vagrant")


STAGED = """
web:
  stages:
    tools:
      packages: [netcat-openbsd]
      build:
        - run: {command: "echo NAME; mkdir /out; sha256sum < /run/secrets/token > /out/sum; command -v nc >> /out/sum; sleep 98790 &",
                secrets: [token]}
  build:
    - run: "! command -v nc; test ! -e /out"
    - copy_from: {stage: tools, from: /out/sum, to: /srv/}
  command: [sleep, infinity]
"""


def written(project, code: int, *packages: str) -> None:
    """Write the spec with these packages, its last step ending with this code."""
    text = SPEC.replace("NAME", project.name).replace("CODE", str(code))
    project.spec(text.replace("PACKAGES", f"[{', '.join(packages)}]"), top=TOP)


def boxes(project) -> list[Path]:
    """The boxes of the project's builds."""
    (digest,) = project.workspace().plan(project.target).builds()
    return list((vagrant_home() / "boxes").glob(f"envctl-{digest}-*"))


def builders() -> list[str]:
    """The machines that are there to build in."""
    return [name for name in virsh("list", "--all", "--name").split() if "envctl-builder" in name]


def test_a_failed_or_killed_build_leaves_nothing_and_a_whole_one_is_kept(project):
    # To install takes an emulated processor the longest of all: only the last build does it.
    written(project, 7)
    failed = project.cli("up", "dev")
    assert failed.returncode == 1
    assert "exit code 7" in failed.stderr
    assert "envctl.yaml:9:" in failed.stderr
    assert (boxes(project), builders()) == ([], [])

    written(project, 0)
    with project.start("up", "dev") as process:
        wait_for(process, "about to end")
        os.kill(process.pid, signal.SIGKILL)
    assert boxes(project) == []

    written(project, 0, "netcat-openbsd")
    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr
    assert project.run("web", "cat", "/run/own/file")[1] == f"{project.name}\n"
    assert project.run("web", "sh", "-c", "id -un; command -v nc")[1] == "web\n/usr/bin/nc\n"
    assert (len(boxes(project)), builders()) == (1, [])
    project.down()
    assert project.up() == ["create web"]
    project.down(volumes=True)
    assert left_of(project) == NOTHING


def test_a_stage_is_built_in_the_machine_and_only_what_is_copied_stays(project):
    # Boxes are shared by their digest, and secrets are no part of that.
    project.spec(
        STAGED.replace("NAME", project.name), top=f"{TOP}secrets: {{token: {{env: TOKEN}}}}\n"
    )

    done = project.cli("up", "dev", environ={"TOKEN": project.name})

    assert done.returncode == 0, done.stderr
    looks = "cat /srv/sum; command -v nc; ls -d /out /var/tmp/*; ls -A /run/secrets; dpkg -l netcat-openbsd"
    token = hashlib.sha256(project.name.encode()).hexdigest()
    assert project.run("web", "sh", "-c", looks)[1] == f"{token}  -\n/usr/bin/nc\n"
    project.down(volumes=True)
    assert left_of(project) == NOTHING
