"""Locks kept to where no container engine is: what is provisioned in a machine is looked into there."""

from __future__ import annotations

import json

import pytest

from envctl.backends.vagrant.box import box_files, root_disk
from envctl.backends.vagrant.box.box_files import NOTE
from envctl.lock.file import load_lock
from tests.scenarios.test_locked import done, locked_project, version
from tests.scenarios.test_machines_provisioned import TOP, boxes, builders

pytestmark = [
    pytest.mark.engine,
    pytest.mark.machines,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]

SPEC = """
web:
  build:
    - run: "echo 'SOURCE' > /etc/apt/sources.list.d/probe.list; echo NAME"
    - run: "apt-get update -q; apt-get install -q --yes envctl-probe; ls -A /media > /srv/given"
  command: [sleep, infinity]
"""


def noted(project) -> list[tuple[str, int]]:
    """What the boxes of the project's builds are noted to be made of, and when they were made."""
    return [
        (
            json.loads((folder / NOTE).read_text())["made_of"],
            (folder / root_disk.FILE).stat().st_mtime_ns,
        )
        for box in boxes(project)
        for _, folder in box_files.find(box.name)
    ]


@pytest.mark.long
def test_a_provisioned_machine_is_held_to_the_lock(machines, make_project, tmp_path, repository):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}
    project = make_project(backend="vagrant")

    def up(*argv: str, code: int = 0) -> str:
        result = done(project.cli("up", "dev", *argv, environ=nowhere, timeout=1800), code)
        return f"{result.stdout}{result.stderr}"

    repository.publish("envctl-probe", "1.0")
    project.spec(SPEC.replace("SOURCE", repository.source).replace("NAME", project.name))
    done(project.cli("lock", timeout=1800))
    repository.publish("envctl-probe", "2.0")
    up()
    assert version(project) == "2.0"
    running, unverified = project.ids(), noted(project)
    assert [made_of for made_of, _ in unverified] == [""]

    refused = up("--frozen", code=1)

    assert "dev does not match envctl.lock: 1 difference" in refused
    assert "dev/web: envctl-probe: locked 1.0, found 2.0" in refused
    assert "nothing was replaced" in refused
    assert (project.ids(), noted(project), builders()) == (running, unverified, [])

    repository.publish("envctl-probe", "1.0")
    up("--frozen")
    assert version(project) == "1.0"
    assert project.ids() != running
    lock = load_lock(project.root)
    assert lock is not None
    (locked,) = lock.builds
    held = noted(project)
    assert [made_of for made_of, _ in held] == [locked.manifest.digest]
    _, given, _ = project.run("web", "sh", "-c", "cat /srv/given; ls -A /media /var/tmp")
    assert given.split() == ["apt.conf", "constraints.txt", "preferences", "/media:", "/var/tmp:"]

    running = project.ids()
    assert "no changes" in up("--frozen")
    assert (project.ids(), noted(project)) == (running, held)


@pytest.mark.long
def test_a_machine_is_provisioned_of_kept_packages(make_project, machines, repository, base):
    repository.publish("envctl-probe", "1.0")
    project = locked_project(make_project, base(alone=False), backend="vagrant", top=TOP)
    done(project.cli("lock", "--vendor", timeout=1800))
    repository.close()

    done(project.cli("up", "dev", "--frozen", "--offline", timeout=1800))

    assert version(project) == "1.0"
    (held,) = noted(project)
    assert held[0] != ""
    _, routes, _ = project.run("web", "cat", "/srv/routes")
    assert len(routes.splitlines()) == 1, "the offline build had a network"
    assert project.run("web", "ls", "-A", "/media", "/var/tmp")[1].split() == [
        "/media:",
        "/var/tmp:",
    ]
