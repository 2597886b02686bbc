"""What every backend does with an environment's life, seen in its state."""

from __future__ import annotations

import socket

import pytest

from envctl.errors import EnvctlError
from tests.support.project import Project

TWO = """
db:
  command: [sleep, infinity]
web:
  command: [sleep, infinity]
  env: {COLOUR: blue}
  depends_on: [db]
"""


# --- two units, each a machine of its own, which stay up from test to test --------------------


def two(pair: Project) -> str:
    """The pair as it is to be; its builds are its own, since what other projects built may be at hand."""
    limited = TWO + "  resources: {memory: 64MiB, cpus: 0.5}\n"
    return limited.replace("command:", f"build: [run: 'true # {pair.name}']\n  command:")


def test_up_brings_every_unit_up_and_says_what_it_did(pair):
    pair.spec(two(pair))

    assert pair.up() == ["build db", "build web", "create db", "create web"]
    assert pair.states() == {"db": "running", "web": "running"}


def test_up_again_changes_nothing(pair):
    pair.spec(two(pair)).up()
    before = pair.ids()

    assert pair.up() == []
    assert pair.ids() == before


@pytest.mark.executes
def test_units_are_called_by_their_names_and_reach_each_other_by_them(pair):
    pair.spec(two(pair)).up()

    assert pair.run("web", "getent", "hosts", "db")[0] == 0
    assert pair.run("web", "sh", "-c", "echo $HOSTNAME; hostname")[1] == "web\nweb\n"


@pytest.mark.executes
def test_limits_hold(pair):
    pair.spec(two(pair)).up()

    script = "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c"
    code, out, _ = pair.run("web", "sh", "-c", script)

    assert (code, out) != (0, "190000000\n")


def test_a_changed_variable_changes_exactly_that_unit(pair, verb):
    pair.spec(two(pair)).up()
    before = pair.ids()
    pair.spec(two(pair).replace("blue", "red"))

    _, changes = pair.workspace().changes(pair.target)
    done = pair.up()

    assert [(str(one.action), one.unit, one.cause) for one in changes] == [
        (verb("process"), "web", 'env COLOUR "blue" → "red"')
    ]
    assert str(changes[0].where).startswith("envctl.yaml:10:")
    assert done == [f"{verb('process')} web"]
    after = pair.ids()
    assert after["db"] == before["db"]
    assert (after["web"] == before["web"]) is (verb("process") == "reconfigure")


def test_status_says_why_a_unit_is_not_as_the_spec_wants_it(pair):
    pair.spec(two(pair)).up()
    pair.spec(two(pair).replace("blue", "red") + "extra: {command: [sleep, infinity]}\n")

    causes = {row.unit: row.cause for row in pair.workspace().status(pair.target)}

    assert causes == {"db": "", "web": 'env COLOUR "blue" → "red"', "extra": "does not exist yet"}


def test_services_with_equal_builds_share_one_image(pair):
    worker = "worker:\n  user: web\n  command: [sleep, '1000']\n"
    both = two(pair) + worker.replace("command:", f"build: [run: 'true # {pair.name}']\n  command:")
    pair.spec(two(pair)).up()

    pair.spec(both.replace("'true #", "'true # another"))
    _, changes = pair.workspace().changes(pair.target)
    builds = [one.unit for one in changes if str(one.action) == "build"]
    assert builds == ["db", "web"]

    pair.spec(both)
    assert pair.up() == ["create worker"]


@pytest.mark.long
def test_a_stopped_environment_starts_again_as_it_was(pair):
    pair.spec(two(pair)).up()
    before = pair.ids()
    changes = pair.workspace().stop(pair.target)

    assert [change.unit for change in changes] == ["db", "web"]
    assert set(pair.states().values()) == {"stopped"}
    assert pair.up() == ["start db", "start web"]
    assert pair.ids() == before


def test_a_service_taken_out_of_the_spec_is_removed(pair):
    pair.spec(two(pair)).up()
    pair.spec(two(pair).partition("web:")[0])

    assert pair.up() == ["remove web"]
    assert pair.states() == {"db": "running"}


def free_port() -> int:
    """A port of this host that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def addresses(stage: Project) -> dict[str, tuple[str, ...]]:
    """Where each unit that has a port can be reached."""
    rows = stage.workspace().status(stage.target)
    return {row.unit: row.addresses for row in rows if row.unit in ("web", "api")}


# --- units that come and go where others stay -------------------------------------------------


def test_a_task_runs_once(stage):
    stage.clear()
    stage.spec("""
        job: {kind: task, command: ["true"]}
        web: {command: [sleep, infinity], depends_on: [job]}
    """)

    assert "create job" in stage.up()
    assert stage.states() == {"job": "completed", "web": "running"}
    assert stage.up() == []


def test_a_failed_task_is_told_holds_its_dependents_back_and_runs_again(stage):
    stage.clear()
    spec = """
        job: {kind: task, command: ["false"]}
        web: {command: [sleep, infinity], depends_on: [job]}
    """
    stage.spec(spec)
    with pytest.raises(EnvctlError, match="job: the task ended with exit code 1"):
        stage.up()
    assert stage.states() == {"job": "failed", "web": "missing"}

    changes = stage.workspace().changes(stage.target)[1]
    assert changes[0].cause == "it failed last time (exit code 1)"
    stage.spec(spec.replace('"false"', '"true"'))
    stage.up()

    assert stage.states() == {"job": "completed", "web": "running"}


def test_a_port_moves_from_one_service_to_another_and_two_swap_theirs(stage):
    """What lets go of it comes first; a swap stops both."""
    first, second = free_port(), free_port()
    # Where they share a machine each has a port of its own inside.
    inside = {"web": 80, "api": 81}

    def idle(service: str, port: int) -> str:
        ports = f"ports: ['{port}:{inside[service]}']"
        return f"{service}: {{command: [sleep, infinity], {ports}}}\n"

    alone = "api: {command: [sleep, infinity]}\n"
    stage.clear()
    stage.spec(alone + idle("web", first)).up()

    stage.spec(alone.replace("api", "web") + idle("api", first)).up()
    assert addresses(stage) == {"web": (), "api": (f"127.0.0.1:{first}",)}

    stage.spec(idle("web", second) + idle("api", first)).up()
    stage.spec(idle("web", first) + idle("api", second))
    done = stage.up()

    assert [one for one in done if one.startswith("stop")] == ["stop web", "stop api"]
    assert addresses(stage) == {"web": (f"127.0.0.1:{first}",), "api": (f"127.0.0.1:{second}",)}
    assert stage.up() == []


def test_replicas_come_and_go(stage):
    spec = "web: {command: [sleep, infinity], replicas: %d}"
    stage.spec(spec % 3).up()
    assert sorted(stage.states()) == ["web", "web-2", "web-3"]
    before = stage.ids()

    stage.spec(spec % 2)

    assert stage.up() == ["remove web-3"]
    assert {name: before[name] for name in ("web", "web-2")} == stage.ids()


def test_an_unhealthy_service_fails_the_start_leaves_it_inspectable_and_mending_converges(
    stage, verb
):
    stage.clear()
    spec = """
        db: {command: [sleep, infinity]}
        web:
          command: [sleep, infinity]
          healthcheck: {command: ["%s"], interval: 200ms, retries: 2, start_period: 1s, timeout: 1s}
    """
    stage.spec(spec % "false")
    with pytest.raises(EnvctlError, match="web: it did not become healthy within"):
        stage.up()
    assert stage.states() == {"db": "running", "web": "running"}
    before = stage.ids()

    stage.spec(spec % "true")

    assert stage.up() == [f"{verb('probe')} web"]
    rows = {row.unit: row for row in stage.workspace().status(stage.target)}
    assert rows["web"].health == "healthy"
    assert rows["web"].cause == ""
    assert stage.ids()["db"] == before["db"]


def test_a_service_that_exits_is_reported_at_once_and_not_waited_for(stage):
    stage.clear()
    stage.spec("""
        db: {command: ["false"], healthcheck: {tcp: 5432, start_period: 300s}}
        web: {command: [sleep, infinity], depends_on: [db]}
    """)

    with pytest.raises(EnvctlError, match="db: it exited with exit code 1"):
        stage.up()

    assert stage.states()["web"] == "missing"


def test_a_selection_brings_up_what_it_needs_and_leaves_the_rest_alone(stage):
    stage.clear()
    stage.spec(TWO + "other: {command: [sleep, infinity]}\n")

    stage.up("web")

    assert stage.states() == {"db": "running", "web": "running", "other": "missing"}


@pytest.mark.long
def test_two_environments_of_a_project_do_not_touch_each_other(project):
    project.spec(TWO).up()
    project.write("environments/test.yaml", f"backend: {project.backend}\n")
    before = project.ids()
    other = type(project.target)("test", project.backend)
    project.workspace().up(other)

    project.workspace().down(other, volumes=True)

    assert project.ids() == before
    assert project.up() == []


@pytest.mark.long
def test_two_checkouts_of_a_project_do_not_touch_each_other(project, make_project):
    twin = make_project("checkout", backend=project.backend, name=project.name)
    project.spec(TWO).up()
    before = project.ids()
    twin.spec(TWO).up()

    assert twin.ids() != before
    twin.down(volumes=True)
    assert project.ids() == before
