"""Runs on machines that are killed, or that fail in the middle: the next `up` converges, nothing is orphaned."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.support.machines import NOTHING, key_of, left_of, virsh
from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]

SPEC = """
db:
  command: [sleep, infinity]
  volumes: {data: /data}
  secrets: [token]
  build: [run: "sleep 2; echo db > /kind # NAME"]
  healthcheck: {command: [test, -e, /kind], interval: 1s}
job:
  kind: task
  command: [sleep, "1"]
  depends_on: [db]
"""
TOP = "secrets: {token: {generate: 16}}\n"


@pytest.fixture
def project(machines, make_project):
    made = make_project(backend="vagrant")
    # A build of its own, so that there is something to build.
    return made.spec(SPEC.replace("NAME", made.name), top=TOP)


@pytest.mark.parametrize(
    ("point", "delay"),
    [
        ("making the disk", 0.5),
        pytest.param("adding the box", 0.3, marks=pytest.mark.core),
        pytest.param("start db", 4.0, marks=pytest.mark.core),
        ("start db", 12.0),
        ("start job", 8.0),
    ],
    ids=["baking", "adding the box", "making the machine", "booting", "booting the next"],
)
def test_a_run_killed_anywhere_is_taken_up_by_the_next(project, point, delay):
    with project.start("up", "dev") as process:
        wait_for(process, point)
        threading.Event().wait(delay)
        os.kill(process.pid, signal.SIGKILL)

    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr
    assert project.states() == {"db": "running", "job": "completed"}
    assert "nothing changes" in project.cli("up", "dev").stdout
    ours = [name for name in virsh("list", "--all", "--name").split() if key_of(project) in name]
    assert sorted(name.rpartition("_")[2] for name in ours) == ["db", "job"]
    project.down(volumes=True)
    assert left_of(project) == NOTHING
