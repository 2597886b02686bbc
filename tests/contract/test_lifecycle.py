"""What every backend does with an environment's life, seen in its state."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError

TWO = """
db:
  command: [sleep, infinity]
web:
  command: [sleep, infinity]
  env: {COLOUR: blue}
  depends_on: [db]
"""


def test_up_brings_every_unit_up_and_says_what_it_did(project):
    # A build of this test alone: what other projects built may be at hand.
    project.spec(TWO.replace("command:", f"build: [run: 'true # {project.name}']\n  command:"))

    assert project.up() == ["build db", "build web", "create db", "create web"]
    assert project.states() == {"db": "running", "web": "running"}


def test_up_again_changes_nothing(project):
    project.spec(TWO).up()
    before = project.ids()

    assert project.up() == []
    assert project.ids() == before


def test_a_changed_variable_changes_exactly_that_unit(project, verb):
    project.spec(TWO).up()
    before = project.ids()
    project.spec(TWO.replace("blue", "red"))

    _, changes = project.workspace().changes(project.target)
    done = project.up()

    assert [(str(one.action), one.unit, one.cause) for one in changes] == [
        (verb("process"), "web", 'env COLOUR "blue" → "red"')
    ]
    assert str(changes[0].where).startswith("envctl.yaml:8:")
    assert done == [f"{verb('process')} web"]
    after = project.ids()
    assert after["db"] == before["db"]
    assert (after["web"] == before["web"]) is (verb("process") == "reconfigure")


def test_a_service_taken_out_of_the_spec_is_removed(project):
    project.spec(TWO).up()
    project.spec("db: {command: [sleep, infinity]}")

    assert project.up() == ["remove web"]
    assert project.states() == {"db": "running"}


def test_down_removes_everything_but_data(project):
    project.spec("db: {command: [sleep, infinity], volumes: {data: /data}}").up()

    assert project.down() == ["remove db", "dismantle"]
    observed = project.workspace().observed(project.target)
    assert (observed.units, observed.leftovers) == ({}, ())
    assert observed.volumes == {"data"}


def test_down_with_volumes_removes_data_too_and_down_again_nothing(project):
    project.spec("db: {command: [sleep, infinity], volumes: {data: /data}}").up()

    assert project.down(volumes=True) == ["remove db", "discard data", "dismantle"]
    observed = project.workspace().observed(project.target)
    assert (observed.units, observed.leftovers, observed.volumes) == ({}, (), frozenset())
    assert project.down(volumes=True) == []


@pytest.mark.long
def test_images_outlive_down_so_that_coming_up_again_builds_nothing(project):
    project.spec(TWO).up()
    project.down()

    assert project.up() == ["create db", "create web"]


@pytest.mark.long
def test_a_stopped_environment_starts_again_as_it_was(project):
    project.spec(TWO).up()
    before = project.ids()
    changes = project.workspace().stop(project.target)

    assert [change.unit for change in changes] == ["db", "web"]
    assert set(project.states().values()) == {"exited"}
    assert project.up() == ["start db", "start web"]
    assert project.ids() == before


def test_a_task_runs_once(project):
    project.spec("""
        job: {kind: task, command: ["true"]}
        web: {command: [sleep, infinity], depends_on: [job]}
    """)

    assert "create job" in project.up()
    assert project.states() == {"job": "completed", "web": "running"}
    assert project.up() == []


def test_a_failed_task_is_told_holds_its_dependents_back_and_runs_again(project):
    spec = """
        job: {kind: task, command: ["false"]}
        web: {command: [sleep, infinity], depends_on: [job]}
    """
    project.spec(spec)
    with pytest.raises(EnvctlError, match="job: the task ended with exit code 1"):
        project.up()
    assert project.states() == {"job": "failed", "web": "missing"}

    changes = project.workspace().changes(project.target)[1]
    assert changes[0].cause == "it failed last time (exit code 1)"
    project.spec(spec.replace('"false"', '"true"'))
    project.up()

    assert project.states() == {"job": "completed", "web": "running"}


def test_replicas_come_and_go(project):
    spec = "web: {command: [sleep, infinity], replicas: %d}"
    project.spec(spec % 3).up()
    assert sorted(project.states()) == ["web", "web-2", "web-3"]
    before = project.ids()

    project.spec(spec % 2)

    assert project.up() == ["remove web-3"]
    assert {name: before[name] for name in ("web", "web-2")} == project.ids()


def test_an_unhealthy_service_fails_the_start_leaves_it_inspectable_and_mending_converges(
    project, verb
):
    spec = """
        db: {command: [sleep, infinity]}
        web:
          command: [sleep, infinity]
          healthcheck: {command: ["%s"], interval: 200ms, retries: 2, start_period: 1s, timeout: 1s}
    """
    project.spec(spec % "false")
    with pytest.raises(EnvctlError, match="web: it did not become healthy within"):
        project.up()
    assert project.states() == {"db": "running", "web": "running"}
    before = project.ids()

    project.spec(spec % "true")

    assert project.up() == [f"{verb('probe')} web"]
    rows = {row.unit: row for row in project.workspace().status(project.target)}
    assert rows["web"].health == "healthy"
    assert rows["web"].cause == ""
    assert project.ids()["db"] == before["db"]


def test_a_service_that_exits_is_told_at_once_and_not_waited_for(project):
    project.spec("""
        db: {command: ["false"], healthcheck: {tcp: 5432, start_period: 300s}}
        web: {command: [sleep, infinity], depends_on: [db]}
    """)

    with pytest.raises(EnvctlError, match="db: it exited with exit code 1"):
        project.up()

    assert project.states()["web"] == "missing"


def test_a_selection_brings_up_what_it_needs_and_leaves_the_rest_alone(project):
    project.spec(TWO + "other: {command: [sleep, infinity]}\n")

    project.up("web")

    assert project.states() == {"db": "running", "web": "running", "other": "missing"}


def test_services_with_equal_builds_share_one_image(project):
    project.spec(
        """
        web: {command: [sleep, infinity], user: app, build: [run: "true # NAME"]}
        worker: {command: [sleep, "1000"], user: app, build: [run: "true # NAME"]}
    """.replace("NAME", project.name)
    )

    assert [change for change in project.up() if change.startswith("build")] == ["build web"]


def test_status_says_why_a_unit_is_not_as_the_spec_wants_it(project):
    project.spec(TWO).up()
    project.spec(TWO.replace("blue", "red") + "extra: {command: [sleep, infinity]}\n")

    causes = {row.unit: row.cause for row in project.workspace().status(project.target)}

    assert causes == {"db": "", "web": 'env COLOUR "blue" → "red"', "extra": "it is not there"}


def test_down_works_though_the_spec_is_broken(project):
    project.spec(TWO).up()
    project.write("envctl.yaml", "project: [")

    assert sorted(project.down()) == ["dismantle", "remove db", "remove web"]


def test_a_project_that_got_another_name_keeps_its_hold_on_what_is_up(project):
    project.spec(TWO).up()
    former, project.name = project.name, f"{project.name}-new"
    project.spec(TWO)

    assert sorted(project.down()) == ["dismantle", "remove db", "remove web"]
    project.name = former


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
