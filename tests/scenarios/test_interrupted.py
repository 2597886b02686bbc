"""Killed anywhere, run twice at once, or met by a stopped engine: the next `up` converges."""

from __future__ import annotations

import signal

import pytest

from tests.support.kills import Harness, kill_runs
from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

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


@pytest.fixture
def project(engine, make_project):
    return make_project().spec(SPEC, top=TOP)


def converges(project, engine) -> None:
    """Bring the environment up; it is whole, and nothing else is there."""
    done = project.cli("up", "dev")
    assert done.returncode == 0, done.stderr
    assert project.states() == EXPECTED
    assert "no changes" in project.cli("up", "dev").stdout
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


def test_runs_killed_anywhere_are_taken_up_by_the_next(project, engine):
    harness = Harness(project, engine)
    kill_runs(harness, 2)
    assert harness.failures == []
    assert len(harness.killed) >= 8


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
    assert sum("no changes" in output for output in outputs) == 1
    assert sum("is running for it; waiting" in output for output in outputs) == 1
    converges(project, engine)


def test_a_stopped_engine_is_reported_with_its_remedy(project, tmp_path):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}

    for verb in (["up", "dev"], ["status", "dev"], ["down", "dev"], ["plan", "dev"]):
        done = project.cli(*verb, environ=nowhere)
        assert done.returncode == 1, verb
        assert "Traceback" not in done.stderr
        assert "DOCKER_HOST" in done.stderr, verb
