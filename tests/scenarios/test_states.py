"""Containers that somebody else paused, stopped, killed or started, and runs that were killed between two hooks."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from envctl.backends.docker.names import Names
from envctl.plan.target import Target
from tests.support.project import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
web:
  command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
  ports: ["53/udp"]
"""


@pytest.fixture
def project(make_project):
    return make_project()


def row(project):
    (found,) = project.workspace().status(project.target)
    return found.state, found.cause


def test_what_others_do_to_a_container_is_reported_as_it_happened(project, engine):
    done = project.spec(SPEC).cli("up", "dev", "--json")
    address = json.loads(done.stdout)["addresses"]["web"]
    (status,) = project.workspace().status(project.target)

    # A port that the engine chose is told, also where it is none of TCP.
    assert address == list(status.addresses)
    assert address[0].startswith("127.0.0.1:")
    assert address[0].endswith("/udp")

    web = engine.containers.get(project.ids()["web"])
    since = web.attrs["State"]["StartedAt"]

    web.pause()
    assert row(project) == ("paused", "it is paused")
    assert project.up() == ["start web"]
    web.reload()
    assert (web.status, web.attrs["State"]["StartedAt"]) == ("running", since)

    web.kill("KILL")
    web.wait()
    assert row(project) == ("exited", "it is not running (exit code 137 (SIGKILL))")
    assert project.up() == ["start web"]

    web.stop()
    assert row(project) == ("exited", "it is not running (exit code 0)")
    assert project.up() == ["start web"]

    project.workspace().stop(project.target)
    assert row(project) == ("stopped", "it is stopped")

    # Started by hand, and stopped by hand: it was not envctl this time.
    web.start()
    assert row(project) == ("running", "")
    web.stop()
    assert row(project) == ("exited", "it is not running (exit code 0)")

    # It is told also when it is taken out of the spec, and where.
    project.up()
    (project.root / "environments/dev.yaml").rename(project.root / "environments/test.yaml")
    found = project.cli("status", "--json")
    assert [
        (one["environment"], one["unit"], one["state"]) for one in json.loads(found.stdout)
    ] == [("dev", "web", "running")]
    project.workspace().down(Target("dev", "docker"))
    assert "nothing is up" in project.cli("status").stdout
    labels = {"label": f"dev.envctl.project={project.name}"}
    assert not engine.api.volumes(filters=labels)["Volumes"]


def test_a_run_killed_between_two_hooks_leaves_the_second_to_the_next(project):
    project.spec("""
        web:
          command: [sleep, infinity]
          user: root
          hooks: {after_start: ["echo one >> /ran", "test -e /ready || sleep 300; echo two >> /ran"]}
        after: {command: [sleep, infinity], depends_on: [web]}
    """)
    with project.start("up", "dev") as process:
        wait_for(process, "after_start hook 2 of web")
        os.kill(process.pid, signal.SIGKILL)
    assert project.states() == {"web": "running", "after": "missing"}
    (first, _) = project.workspace().changes(project.target)[1]
    assert first.cause.startswith("after_start hook 2 has not succeeded: ")
    assert project.run("web", "touch", "/ready")[0] == 0

    assert project.up() == ["hook web", "create after"]

    assert project.run("web", "cat", "/ran")[1] == "one\ntwo\n"
    assert project.up() == []


RENAMED = """
web: {command: [sleep, infinity], secrets: [token]}
job: {kind: task, command: ["true"]}
"""


def test_a_renamed_container_is_the_unit_that_it_was(project, engine):
    project.spec(RENAMED, top="secrets: {token: {generate: 24}}\n").up()
    names = Names(project.workspace().plan(project.target).scope)
    before = project.ids()
    api = engine.api
    (keeper,) = api.containers(
        filters={"label": ["dev.envctl.keeper=secrets", *names.filters["label"]]}
    )
    for container in (*before.values(), keeper["Id"]):
        api.rename(container, f"{project.name}-{container[:12]}")
    # Of what somebody made of it it may be the name, but not the image.
    copy = engine.containers.get(before["web"]).commit(repository=project.name)
    stranger = engine.containers.run(copy.id, ["sleep", "infinity"], detach=True)
    try:
        cause = f"its container was renamed: {project.name}-{before['web'][:12]}"
        found = {
            row.unit: (row.state, row.cause) for row in project.workspace().status(project.target)
        }
        assert found == {"web": ("running", cause), "job": ("completed", "")}
        assert project.cli("exec", "dev", "web", "--", "cat", "/run/secrets/token").returncode == 0

        # It has its name again, and its task is not run again for it.
        assert project.up() == ["replace web"]
        assert api.inspect_container(project.ids()["web"])["Name"] == f"/{names.container('web')}"
        assert project.ids()["job"] == before["job"]
        assert project.up() == []

        # One that an earlier `up` made beside a renamed one, and the renamed one, go together.
        api.rename(project.ids()["web"], f"{project.name}-twin")
        body = {"Image": "debian:bookworm", "Cmd": ["sleep", "infinity"],
                "Labels": dict(names.unit_labels(project.workspace().plan(project.target).unit("web")))}  # fmt: skip
        api.start(api.create_container_from_config(body, names.container("web")))
        assert (
            f"another container of it was renamed: {project.name}-twin"
            in row_of(project, "web").cause
        )
        assert sorted(project.down(volumes=True)) == ["dismantle", "remove job", "remove web"]
        left = api.containers(all=True, filters=dict(names.filters))
        assert [one["Id"] for one in left] == [stranger.id]
        assert "nothing is up" in project.cli("status").stdout
    finally:
        stranger.remove(force=True)
        engine.images.remove(copy.id, force=True)


def row_of(project, unit):
    (found,) = [row for row in project.workspace().status(project.target) if row.unit == unit]
    return found


def test_a_secret_is_lost_only_where_its_unit_has_lost_it(project, engine):
    spec = "a: {command: [sleep, infinity], secrets: [token]}\nb: {command: [sleep, infinity], secrets: [token]}"
    project.spec(spec, top="secrets: {token: {generate: 24}}\n").up()
    ids = project.ids()
    labels = {"label": ["dev.envctl.keeper=secrets", f"dev.envctl.project={project.name}"]}

    def keeper():
        (found,) = engine.containers.list(filters=labels)
        return found

    def started(unit):
        return engine.api.inspect_container(ids[unit])["State"]["StartedAt"]

    # Units that run still have what the one that keeps it for them has no more: they go on.
    before = started("a"), started("b")
    keeper().kill()
    cause = "its secrets will be lost when it exits: the container that kept them is stopped"
    assert {row_of(project, unit).cause for unit in "ab"} == {cause}
    assert "its secrets will be lost when it exits" in project.cli("verify", "dev").stdout
    assert sorted(project.up()) == ["start a", "start b"]
    assert (started("a"), started("b")) == before
    assert project.run("a", "cat", "/run/secrets/token")[0] == 0
    assert project.up() == []

    # Of one that was paused meanwhile the same is true.
    keeper().remove(force=True)
    engine.containers.get(ids["a"]).pause()
    project.up()
    assert project.up() == []
    assert (started("a"), started("b")) == before

    # One that ended and was started while nothing kept them has lost them: to restart it is called that.
    keeper().kill()
    engine.containers.get(ids["b"]).restart(timeout=0)
    plan = project.cli("plan", "dev").stdout
    assert "> restart b  its secrets are lost: the container that kept them is stopped" in plan
    # What another one asked to be kept does not hide that.
    assert project.up("a") == ["start a"]
    assert row_of(project, "b").cause.startswith("its secrets are lost")
    assert project.up() == ["restart b"]
    assert project.run("b", "cat", "/run/secrets/token")[0] == 0
    assert project.up() == []
    assert project.ids() == ids


WELL = """
web:
  command: [sh, -c, "touch /tmp/well; exec sleep infinity"]
  healthcheck: {command: "test -e /tmp/well", interval: 6s, timeout: 5s, retries: 1, start_period: 1s}
"""


def test_what_the_engine_last_said_of_a_health_contradicts_no_up(project, engine):
    project.spec(WELL).up()
    web = engine.containers.get(project.ids()["web"])

    def recorded():
        return engine.api.inspect_container(web.id)["State"]["Health"]["Status"]

    def becomes(health):
        end = time.monotonic() + 30
        while recorded() != health and time.monotonic() < end:
            time.sleep(0.1)
        return recorded()

    assert project.run("web", "rm", "/tmp/well")[0] == 0
    assert becomes("unhealthy") == "unhealthy"
    assert row_of(project, "web").health == "unhealthy"
    assert row(project)[1].startswith("its probe fails")
    assert project.run("web", "touch", "/tmp/well")[0] == 0
    # The engine looks but now and then, and never while it is paused.
    web.pause()
    assert project.up() == ["start web"]
    assert recorded() == "unhealthy"
    assert (row_of(project, "web").health, row(project)) == ("healthy", ("running", ""))
    assert project.workspace().verify(project.target).findings == []
    assert becomes("healthy") == "healthy"
