"""Killed anywhere, run twice at once, or met by a stopped engine: the next `up` converges."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
db:
  command: [sleep, infinity]
  volumes: {data: /data}
  secrets: [token]
  build: [run: "sleep 1; echo db > /kind"]
  healthcheck: {command: [test, -e, /kind], interval: 1s}
job:
  kind: task
  command: [sleep, "1"]
  depends_on: [db]
web:
  command: [sleep, infinity]
  secrets: [token]
  build: [run: "sleep 1; echo web > /kind"]
  depends_on: [db, job]
"""
TOP = "secrets: {token: {generate: 16}}\n"
EXPECTED = {"db": "running", "job": "completed", "web": "running"}
POINTS = [
    "build db", "start db", "start job", "start web",
]  # fmt: skip


@pytest.fixture
def project(engine, make_project):
    return make_project().spec(SPEC, top=TOP)


def converges(project, engine) -> None:
    """Bring the environment up; it is whole, and nothing else is there."""
    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr
    assert project.states() == EXPECTED
    assert "nothing changes" in project.cli("up", "dev").stdout
    label = f"dev.envctl.project={project.name}"
    units = [
        one["Labels"].get("dev.envctl.unit")
        for one in engine.api.containers(all=True, filters={"label": label})
    ]
    assert sorted(name for name in units if name) == sorted(EXPECTED)
    assert len(engine.api.networks(filters={"label": label})) == 1
    project.down(volumes=True)
    assert engine.api.containers(all=True, filters={"label": label}) == []
    assert not engine.api.volumes(filters={"label": label})["Volumes"]
    assert engine.api.networks(filters={"label": label}) == []


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("delay", [0.0, 0.4], ids=["at once", "a moment later"])
def test_a_run_killed_anywhere_is_taken_up_by_the_next(project, engine, point, delay):
    with project.start("up", "dev") as process:
        wait_for(process, point)
        threading.Event().wait(delay)
        os.kill(process.pid, signal.SIGKILL)

    converges(project, engine)


@pytest.mark.parametrize("point", ["build db", "start db", "start job"])
def test_an_interrupted_run_ends_soon_without_a_traceback(project, engine, point):
    with project.start("up", "dev") as process:
        wait_for(process, point)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    converges(project, engine)


def test_two_runs_at_once_give_one_environment(project, engine):
    with project.start("up", "dev") as first, project.start("up", "dev") as second:
        outputs = [process.communicate(timeout=300)[0] for process in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert sum("nothing changes" in output for output in outputs) == 1
    assert sum("works on it; waiting" in output for output in outputs) == 1
    converges(project, engine)


def test_a_stopped_engine_is_told_with_its_remedy(project, tmp_path):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}

    for verb in (["up", "dev"], ["status", "dev"], ["down", "dev"], ["plan", "dev"]):
        done = project.cli(*verb, environ=nowhere)
        assert done.returncode == 1, verb
        assert "Traceback" not in done.stderr
        assert "DOCKER_HOST" in done.stderr, verb
