"""What things are called wherever they are written: in JSON, in labels, in records and in what people read."""

from __future__ import annotations

import pytest

from envctl.host.source_tree import EntryKind
from envctl.parity.fact_format import Category as Told
from envctl.plan.categories import COMPARED, UNITS, Category
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Condition, Kind, Plan, Port, ProbeKind, Restart, Unit
from envctl.plan.state import Drift, Health, Observed, Status, UnitState
from tests.support.plans import SCOPE, unit

WORDS = {
    Status: "missing created starting running restarting paused stopped exited oom-killed unreachable unknown",
    Health: "none starting healthy unhealthy",
    Kind: "service task",
    Restart: "no on-failure always",
    Condition: "started healthy completed",
    ProbeKind: "http tcp command",
    EntryKind: "file folder link pipe",
    Action: "build create replace reconfigure start restart hook stop remove discard dismantle",
    Category: "os kernel packages python npm users groups files process processes environment limits sysctls sockets"
    " locale names secrets",
}  # fmt: skip


@pytest.mark.parametrize("enum", WORDS)
def test_words_that_are_written_down_stay_the_same(enum):
    """What an earlier envctl wrote, and what scripts read, is understood."""
    assert [str(one) for one in enum] == WORDS[enum].split()


def test_differences_are_reported_by_what_facts_are_about_and_then_of_units():
    assert (*WORDS[Category].split(), "units") == COMPARED
    assert UNITS == "units"
    assert Told is Category


@pytest.mark.parametrize("status", Status)
def test_a_process_is_over_only_where_it_has_ended(status):
    assert status.is_over is (str(status) in ("stopped", "exited", "oom-killed"))


def test_of_a_unit_of_which_nothing_else_was_seen_nothing_else_is_reported():
    one = UnitState("web", "web", Status.RUNNING)
    assert (one.replica, one.health, one.exit_code, one.restarts) == (1, Health.NONE, None, 0)
    texts = (one.build, one.image, one.run, one.id, one.started_at, one.cause, one.defect)
    assert set(texts) == {""}
    assert (one.outdated, one.needs_restart, one.unfinished) == (False, False, False)
    assert (one.addresses, one.hooks, one.drift, one.unchecked) == ((), (), (), ())
    assert Drift("x") == Drift("x", (), in_place=False)
    assert Observed() == Observed({}, {}, frozenset(), ())


def test_a_change_is_known_by_its_unit_unless_it_is_made_beside_the_units_own():
    assert {str(action): Change(action, "web", because("x")).key for action in Action} == {
        **dict.fromkeys(WORDS[Action].split(), "web"),
        "build": "build:web",
        "stop": "stop:web",
        "discard": "discard:web",
        "dismantle": "dismantle:web",
    }


def test_a_change_tells_all_its_causes_and_the_first_place_that_is_known():
    place = unit("web").where
    change = Change(
        Action.REPLACE,
        "web",
        (*because("one"), *because("two", place, warning="w"), *because("three", None)),
    )
    assert change.cause == "one; two; three"
    assert change.where == place
    assert Change(Action.STOP, "web", because("x")).where is None
    assert change.causes[1].warning == "w"


def test_a_port_has_the_place_nearest_to_its_number():
    places = {
        name: unit("x").where.__class__("envctl.yaml", line, 1)
        for line, name in enumerate(["ports", "ports.1", "ports.1.host"], 1)
    }

    def where(*known, host=81):
        one = unit("web", ports=(Port(1, 80), Port(2, 81)), origins={name: places[name] for name in known})  # fmt: skip
        return one.where_port(host)

    assert where("ports", "ports.1", "ports.1.host") == places["ports.1.host"]
    assert where("ports", "ports.1") == places["ports.1"]
    assert where("ports") == where("ports", "ports.1", host=80) == places["ports"]
    assert where() == unit("web").where


def test_units_are_found_by_name_and_replicas_by_service():
    web, second, db = unit("web"), Unit("web-2", "web", unit("web").source, replica=2), unit("db")
    plan = Plan(SCOPE, "docker", (web, second, db))
    assert plan.unit("web-2") is second
    with pytest.raises(KeyError, match="cache"):
        plan.unit("cache")
    assert plan.replicas("web") == (web, second)
    assert plan.replicas("cache") == ()
