"""Volumes of machines: a service does not run without its data, whatever became of their disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.machines import key_of, virsh

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]

SPEC = """
db:
  command: [sleep, infinity]
  user: root
  volumes: {data: /data}
  build: [run: "mkdir /srv/real; echo seed > /srv/real/seed; ln -s /srv/real /data"]
"""


def test_a_volume_that_is_unavailable_is_reported_and_its_service_does_not_run(
    machines, make_project, tmp_path
):
    project = make_project(backend="vagrant").spec(SPEC)
    project.up()
    # The folder it is for is a link, as an image may have it: it is where that leads.
    assert (
        project.run("db", "sh", "-c", "cat /srv/real/seed; echo mine > /data/own; sync")[1]
        == "seed\n"
    )
    project.down()

    (name,) = (line.split()[0] for line in virsh("vol-list", "default").splitlines()
               if key_of(project) in line and "volume" in line)  # fmt: skip
    disk = Path(virsh("vol-path", name, "--pool", "default").strip())
    shutil.move(disk, tmp_path / "kept.qcow2")
    noise = tmp_path / "noise"
    noise.write_bytes(b"no file system" * 100_000)
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(noise), str(disk)], check=True
    )

    failed = project.cli("up", "dev")
    assert failed.returncode == 1
    assert "the disk of /srv/real cannot be mounted" in failed.stderr
    assert project.states()["db"] != "running"

    disk.unlink()
    shutil.move(tmp_path / "kept.qcow2", disk)
    project.up()
    assert project.run("db", "cat", "/data/seed", "/data/own")[1] == "seed\nmine\n"


OWN = """
db:
  dockerfile: own/Dockerfile
  env: {COLOUR: blue}
  command: [sleep, infinity]
web:
  command: [sleep, infinity]
  volumes: {data: {target: /data, owner: "33:34"}}
"""
DOCKERFILE = """
FROM debian:bookworm
RUN mkdir -p /var/lib/db && echo seed > /var/lib/db/seed && chown -R 33:33 /var/lib/db
VOLUME /var/lib/db
"""


@pytest.mark.long
def test_what_an_image_declares_as_a_volume_and_whose_a_volume_is_outlives_a_machine(
    machines, make_project
):
    project = make_project(backend="vagrant").spec(OWN).write("own/Dockerfile", DOCKERFILE)
    project.up()
    assert project.run("db", "sh", "-c", "echo mine > /var/lib/db/own", user="33:33")[0] == 0
    assert project.run("web", "stat", "-c", "%u:%g", "/data")[1] == "33:34\n"
    assert project.run("web", "sh", "-c", "echo x > /data/x", user="root")[0] in (0, 2)
    volumes = {"data", "db:/var/lib/db"}
    assert project.workspace().observed(project.target).volumes == volumes
    plan = project.cli("plan", "dev")
    assert "db keeps /var/lib/db, a volume of its image that is not in the spec" in plan.stdout

    told = "cat /var/lib/db/seed /var/lib/db/own; stat -c %u:%g /var/lib/db"
    # The container is made anew, and then the machine.
    project.spec(OWN.replace("blue", "red"))
    assert project.up() == ["reconfigure db"]
    assert project.run("db", "sh", "-c", told)[1] == "seed\nmine\n33:33\n"
    assert "data stay: data, db:/var/lib/db" in project.cli("down", "dev").stderr
    project.up()
    assert project.run("db", "sh", "-c", told)[1] == "seed\nmine\n33:33\n"
    assert project.run("web", "stat", "-c", "%u:%g", "/data")[1] == "33:34\n"

    assert "discard db:/var/lib/db" in project.down(volumes=True)
    assert project.workspace().observed(project.target).volumes == frozenset()
