"""Volumes of machines: a service does not run without its data, whatever became of their disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.machines import key_of, virsh

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]

SPEC = """
db:
  command: [sleep, infinity]
  user: root
  volumes: {data: /data}
  build: [run: "mkdir /srv/real; echo seed > /srv/real/seed; ln -s /srv/real /data"]
"""


def test_a_volume_that_cannot_be_had_is_told_and_its_service_does_not_run(
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
