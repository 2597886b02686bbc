"""Runs on machines that are killed, or that fail in the middle: the next `up` converges, nothing is orphaned."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.names import cache_folder
from tests.support.machines import NOTHING, key_of, left_of, virsh
from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]

SPEC = """
db:
  command: [sleep, infinity]
  volumes: {data: /data}
  secrets: [token]
  build: [run: "sleep 2; echo db > /kind # NAME"]
  healthcheck: {command: [test, -e, /kind], interval: 1s}
job:
  kind: task
  user: root
  command: [sleep, "1"]
  depends_on: [db]
"""
TOP = "secrets: {token: {generate: 16}}\n"


@pytest.fixture
def project(machines, make_project):
    made = make_project(backend="vagrant")
    # A build of its own, so that there is something to build.
    return made.spec(SPEC.replace("NAME", made.name), top=TOP)


def made(pattern: str) -> set[Path]:
    """What is there of disks in the making."""
    return set((cache_folder() / "making").glob(pattern))


def killed_while_making(project, part: str, delay: float) -> int:
    """Kill a run when this part of its disk appears, and a little later; its process."""
    before = made(part)
    with project.start("up", "dev") as process:
        while process.poll() is None and made(part) <= before:
            threading.Event().wait(0.02)
        threading.Event().wait(delay)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    return int(process.pid)


def killed_at(project, point: str, delay: float) -> int:
    """Kill a run some time after it speaks of a point; its process."""
    with project.start("up", "dev") as process:
        wait_for(process, point)
        threading.Event().wait(delay)
        os.kill(process.pid, signal.SIGKILL)
    return int(process.pid)


@pytest.mark.parametrize(
    ("kill", "point", "delay"),
    [
        (killed_while_making, "*/brought", 0.5),
        pytest.param(killed_while_making, "*/raw", 0.3, marks=pytest.mark.long),
        pytest.param(killed_while_making, "*/x.box", 0.5, marks=pytest.mark.long),
        (killed_at, "start db", 4.0),
        pytest.param(killed_at, "start db", 12.0, marks=pytest.mark.long),
        pytest.param(killed_at, "start job", 8.0, marks=pytest.mark.long),
    ],
    ids=["making the disk", "baking", "adding the box", "making the machine", "booting", "booting the next"],
)  # fmt: skip
def test_a_run_killed_anywhere_is_taken_up_by_the_next(project, engine, kill, point, delay):
    process = kill(project, point, delay)

    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr
    assert project.states() == {"db": "running", "job": "completed"}
    assert "no changes" in project.cli("up", "dev").stdout
    ours = [name for name in virsh("list", "--all", "--name").split() if key_of(project) in name]
    assert sorted(name.rpartition("_")[2] for name in ours) == ["db", "job"]
    assert not engine.api.containers(all=True, filters={"name": f"^/envctl-errand-.*-{process}-"})
    project.down(volumes=True)
    assert left_of(project) == NOTHING


@pytest.mark.long
def test_a_disk_that_somebody_has_half_uploaded_is_put_there_whole(
    machines, make_project, tmp_path
):
    project = make_project(backend="vagrant")
    project.spec(f"web: {{command: [sleep, infinity], build: [run: 'true # {project.name}']}}")
    project.up()
    project.down()
    (digest,) = project.workspace().plan(project.target).builds()
    (disk,) = (name for name in libvirt.disks() if name.startswith(f"envctl-{digest}-"))
    whole = Path(virsh("vol-path", disk, "--pool", "default").strip()).read_bytes()
    half = tmp_path / "half.img"
    half.write_bytes(whole[: len(whole) // 2])
    libvirt.add_disk(disk, half, capacity="20G")

    assert project.up() == ["create web"]
    assert project.states() == {"web": "running"}
    assert libvirt.disk_size(disk) == len(whole)
