"""What has to change, said in the text form of changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.compare import compare, down, only, stop
from envctl.errors import Place
from envctl.plan.changes import Action
from envctl.plan.model import Port, Secret
from envctl.plan.state import Observed, Status
from envctl.plan.text import changes_text
from tests.support.plans import made, observed, packages, plan, script, unit

NOTHING = Observed()


def lines(changes):
    return [" ".join(line.split()) for line in changes_text(changes).splitlines()]


def test_everything_is_built_and_created_where_nothing_is():
    web = unit("web", packages("python3"))

    assert lines(compare(plan(web), NOTHING)) == [
        "* build web the image is not there (envctl.yaml:3:5)",
        "+ create web it is not there (envctl.yaml:2:3)",
    ]


def test_nothing_changes_when_all_is_as_planned():
    units = (unit("web", packages("python3")), unit("job", kind="task"), unit("db", image="pg"))

    assert compare(plan(*units), observed(*units)) == ()


def test_a_changed_variable_replaces_that_unit_alone_and_names_old_new_and_place():
    place = Place("environments/dev.yaml", 12, 18)
    old = unit("web", env={"LOG_LEVEL": "info"})
    new = unit("web", env={"LOG_LEVEL": "debug"}, origins={"process.env.LOG_LEVEL": place})
    db = unit("db")

    assert lines(compare(plan(db, new), observed(db, old))) == [
        '~ replace web env LOG_LEVEL "info" → "debug" (environments/dev.yaml:12:18)'
    ]


def test_an_added_and_a_removed_variable_are_told_apart():
    old = unit("web", env={"A": "1"})
    new = unit("web", env={"B": "2"})

    assert lines(compare(plan(new), observed(old))) == [
        '~ replace web env A "1" → unset, env B unset → "2" (envctl.yaml:2:3)'
    ]


def test_a_backend_that_can_reconfigure_is_asked_to():
    old, new = unit("web", env={"A": "1"}), unit("web", env={"A": "2"})

    (change,) = compare(plan(new), observed(old), reconfigure=True)

    assert change.action is Action.RECONFIGURE


def test_a_changed_build_step_is_named_with_its_own_place():
    old = unit("web", packages("python3"), script("make"))
    new = unit("web", packages("python3"), script("make all"))

    assert lines(compare(plan(new), observed(old))) == [
        "* build web build step changed: run sh: make all (envctl.yaml:7:9)",
        "~ replace web build step changed: run sh: make all (envctl.yaml:7:9)",
    ]


def test_an_image_that_is_at_hand_is_not_built_again():
    old, new = unit("web", script("a")), unit("web", script("b"))
    there = observed(old)
    there = replace(there, images={**there.images, **observed(new).images})

    assert [change.action for change in compare(plan(new), there)] == [Action.REPLACE]


def test_a_pruned_image_of_a_running_unit_is_not_missed():
    web = unit("web", script("a"))

    assert compare(plan(web), replace(observed(web), images={})) == ()


def test_units_with_the_same_build_share_one():
    web, worker = unit("web", script("a")), unit("worker", script("a"))

    changes = compare(plan(web, worker), NOTHING)

    assert [str(change.action) for change in changes] == ["build", "create", "create"]
    assert all(change.needs[0] == "build:web" for change in changes[1:])


def test_dependents_wait_for_the_changes_of_what_they_depend_on():
    db, web = unit("db"), unit("web", after={"db": "started"})

    changes = {change.key: change for change in compare(plan(db, web), NOTHING)}

    assert "db" in changes["web"].needs
    assert "web" not in changes["db"].needs


def test_names_that_start_alike_are_not_taken_for_replicas():
    my, my_db, web = unit("my"), unit("my-db", after={"my": "started"}), unit("web")

    changes = {change.key: change for change in compare(plan(my, my_db, web), NOTHING)}

    assert "my-db" not in changes["web"].needs
    assert changes["my-db"].needs == ("build:my", "my")


def test_a_unit_that_is_in_the_plan_no_more_is_removed_before_others_are_made():
    web, old = unit("web"), unit("old")

    changes = compare(plan(web), observed(old))

    assert lines(changes)[0] == "- remove old old is in the spec no more"
    assert "old" in changes[-1].needs


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": Status.EXITED, "exit_code": 3}, "> start web it is not running (exit code 3) (envctl.yaml:2:3)"),
        ({"status": Status.CREATED}, "> start web it is only created (envctl.yaml:2:3)"),
        ({"status": Status.PAUSED}, "> start web it is only paused (envctl.yaml:2:3)"),
        ({"status": Status.MISSING}, "+ create web it is not there (envctl.yaml:2:3)"),
    ],
)  # fmt: skip
def test_a_service_that_does_not_run_is_started(state, expected):
    web = unit("web")
    there = replace(observed(web), units={"web": made(web, **state)})

    assert lines(compare(plan(web), there)) == [expected]


def test_a_task_that_was_done_is_not_done_again_and_one_that_failed_is():
    job = unit("job", kind="task")
    failed = replace(observed(job), units={"job": made(job, exit_code=2)})

    assert compare(plan(job), observed(job)) == ()
    assert lines(compare(plan(job), failed)) == [
        "~ replace job it failed last time (exit code 2) (envctl.yaml:2:3)"
    ]


def test_a_changed_secret_is_told_without_its_digest():
    old = unit("web", secrets=(Secret("key", "/run/secrets/key", "aaaa"),))
    new = unit("web", secrets=(Secret("key", "/run/secrets/key", "bbbb"),))

    (line,) = lines(compare(plan(new), observed(old)))

    assert line == "~ replace web secret key changed (envctl.yaml:2:3)"


def test_a_label_someone_tampered_with_leads_to_a_replacement_not_an_error():
    web = unit("web")
    there = replace(observed(web), units={"web": made(web, run="{not json")})

    assert lines(compare(plan(web), there)) == [
        "~ replace web it was made for another run (envctl.yaml:2:3)"
    ]


def test_down_removes_units_and_only_asked_for_volumes():
    web = unit("web")
    there = observed(web, volumes=frozenset({"data"}))

    assert [str(change.action) for change in down(there)] == ["remove", "dismantle"]
    assert [f"{change.action} {change.unit}".strip() for change in down(there, volumes=True)] == [
        "remove web",
        "discard data",
        "dismantle",
    ]


def test_down_where_nothing_is_changes_nothing():
    assert down(NOTHING) == ()


def test_down_takes_dependents_first():
    db, web = unit("db"), unit("web", after={"db": "started"})
    changes = {change.key: change for change in down(observed(db, web), plan=plan(db, web))}

    assert changes["db"].needs == ("web",)


def test_stop_stops_what_runs():
    web, job = unit("web"), unit("job", kind="task")

    assert lines(stop(observed(web, job))) == ["# stop web the environment is to stop"]


def test_a_selection_keeps_what_it_needs_and_removes_nothing():
    db, web, other = unit("db"), unit("web", after={"db": "started"}), unit("other", script("x"))
    changes = compare(plan(db, web, other), observed(unit("old", script("old"))))

    assert [change.key for change in only(changes, frozenset({"web"}))] == ["build:db", "db", "web"]


UNITS = st.builds(
    lambda name, env, text, host: unit(
        name, script(text), env=env, ports=(Port(80, host),) if host else ()
    ),
    st.sampled_from(["a", "b", "c", "d"]),
    st.dictionaries(st.sampled_from(["X", "Y"]), st.text(max_size=4), max_size=2),
    st.sampled_from(["one", "two"]),
    st.sampled_from([0, 8080]),
)
PLANS = st.lists(UNITS, unique_by=lambda one: one.name, max_size=4).map(lambda units: plan(*units))


@given(PLANS)
def test_a_plan_that_was_carried_out_needs_no_change(wanted):
    assert compare(wanted, observed(*wanted.units)) == ()


@given(PLANS, PLANS)
def test_each_unit_changes_once_and_only_if_it_differs(old, new):
    changes = compare(new, observed(*old.units))
    units = [change.unit for change in changes if change.action is not Action.BUILD]
    before = {one.name: (one.source, one.run) for one in old.units}
    after = {one.name: (one.source, one.run) for one in new.units}

    assert len(units) == len(set(units))
    assert set(units) == {name for name in {*before, *after} if before.get(name) != after.get(name)}


@given(PLANS, PLANS)
def test_needs_name_changes_that_come_earlier(old, new):
    seen: set[str] = set()
    for change in compare(new, observed(*old.units)):
        assert set(change.needs) <= seen
        seen.add(change.key)
