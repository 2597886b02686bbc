"""What the user asks for is done, also to units that match the spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envctl.plan.changes import Change
from envctl.plan.state import Observed, Status
from envctl.plan.text import changes_text
from envctl.reconcile.compare import compare, only
from envctl.reconcile.forced_changes import recreations, restarts
from tests.support.plans import observed, plan, unit

DB = unit("db")
WEB = unit("web", after={"db": "healthy"})
PROXY = unit("proxy", after={"web": "started"})
JOB = unit("job", kind="task", after={"db": "healthy"})
ALL = (DB, JOB, WEB, PROXY)


def lines(changes: Sequence[Change]) -> list[str]:
    """The changes, without the places in the spec."""
    text = (line.partition("  (envctl.yaml")[0] for line in changes_text(changes).splitlines())
    return [" ".join(line.split()) for line in text]


def with_status(there: Observed, **statuses: Status) -> Observed:
    units = {
        name: replace(state, status=statuses.get(name, state.status))
        for name, state in there.units.items()
    }
    return replace(there, units=units)


def restarted(there: Observed, *services: str, dependents: bool = True) -> list[str]:
    forced = restarts(plan(*ALL), there, services, dependents=dependents)
    return lines(only(compare(plan(*ALL), there, forced=forced), frozenset(forced)))


def test_a_restart_takes_those_that_depend_on_it_after_it():
    assert restarted(observed(*ALL), "db") == [
        "> restart db you asked for it",
        "> restart web it depends on db, which restarts",
        "> restart proxy it depends on web, which restarts",
    ]


def test_each_waits_for_what_it_depends_on():
    forced = restarts(plan(*ALL), observed(*ALL), ("db",), dependents=True)
    changes = compare(plan(*ALL), observed(*ALL), forced=forced)
    assert {change.unit: change.needs for change in changes} == {
        "db": (),
        "web": ("db",),
        "proxy": ("web",),
    }


def test_without_dependents_it_takes_what_is_named_alone():
    assert restarted(observed(*ALL), "db", dependents=False) == ["> restart db you asked for it"]


def test_a_dependent_that_was_stopped_stays_so_and_so_does_what_depends_on_it():
    there = with_status(observed(*ALL), web=Status.STOPPED)
    assert restarted(there, "db") == ["> restart db you asked for it"]


def test_a_restart_of_everything_takes_services_and_no_tasks():
    assert [line.split()[2] for line in restarted(observed(*ALL))] == ["db", "web", "proxy"]


def test_what_does_not_exist_is_not_made_by_a_restart():
    assert restarted(observed(DB, JOB)) == ["> restart db you asked for it"]


def test_what_it_depends_on_is_started_if_it_does_not_run():
    there = with_status(observed(*ALL), db=Status.STOPPED)
    assert restarted(there, "web")[0] == "> start db it is stopped"


def test_a_stopped_service_that_is_named_is_started():
    there = with_status(observed(*ALL), proxy=Status.STOPPED)
    assert restarted(there, "proxy") == [
        "> restart proxy it is stopped",
        "you asked for it",
    ]


def test_what_differs_from_the_spec_is_replaced_rather_than_restarted():
    old = unit("web", env={"A": "1"}, after={"db": "healthy"})
    (line,) = restarted(observed(DB, JOB, old, PROXY), "web", dependents=False)
    assert line.startswith("~ replace web env A")


def test_to_recreate_a_service_replaces_it_alone():
    forced = recreations(plan(*ALL), ("web",))
    assert lines(compare(plan(*ALL), observed(*ALL), forced=forced)) == [
        "~ replace web you asked for it"
    ]


def test_to_recreate_without_a_name_replaces_all_tasks_too():
    forced = recreations(plan(*ALL), ())
    there = with_status(observed(*ALL), web=Status.STOPPED)
    assert lines(compare(plan(*ALL), there, forced=forced)) == [
        "~ replace db you asked for it",
        "~ replace job you asked for it",
        "~ replace web it is stopped",
        "you asked for it",
        "~ replace proxy you asked for it",
    ]


def test_what_does_not_exist_yet_is_created_and_not_replaced():
    forced = recreations(plan(DB), ())
    *_, change = compare(plan(DB), Observed(), forced=forced)
    assert change.action == "create"
