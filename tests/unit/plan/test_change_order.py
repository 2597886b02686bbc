"""What lets go of something comes before what takes it, said in the text form of changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl.plan.changes import Action
from envctl.plan.holdings import observed_holdings, planned_holdings
from envctl.plan.model import Port, Volume
from envctl.plan.state import Status
from envctl.reconcile.compare import compare, only
from tests.support.examples import examples
from tests.support.plans import made, observed, plan, unit

RECONFIGURED = frozenset({"process", "ports"})


def http(name, *ports, **more):
    return unit(name, ports=tuple(Port(80, port) for port in ports), **more)


def order(changes):
    """Each change, and what it waits for."""
    return {change.key: set(change.needs) for change in changes if change.action != Action.BUILD}


@pytest.mark.parametrize("reconfigure", [frozenset(), RECONFIGURED])
def test_a_port_is_let_go_of_before_another_service_takes_it(reconfigure):
    there = observed(http("api"), http("web", 8080))

    changes = compare(plan(http("api", 8080), http("web")), there, reconfigure=reconfigure)

    assert [change.key for change in changes] == ["web", "api"]
    assert order(changes) == {"web": set(), "api": {"web"}}


def test_services_that_swap_their_ports_are_both_stopped_first():
    there = observed(http("api", 1), http("web", 2))

    changes = compare(plan(http("api", 2), http("web", 1)), there)

    assert order(changes) == {
        "stop:api": set(),
        "stop:web": set(),
        "api": {"stop:api", "stop:web"},
        "web": {"stop:api", "stop:web"},
    }
    assert {change.key: change.cause for change in changes}["stop:api"] == "web takes its port 1"


def test_three_services_that_hand_their_ports_round_are_all_stopped_first():
    there = observed(http("a", 1), http("b", 2), http("c", 3))

    changes = compare(plan(http("a", 2), http("b", 3), http("c", 1)), there)

    assert [str(change.action) for change in changes] == ["stop"] * 3 + ["replace"] * 3


def test_a_service_that_waits_for_what_takes_its_port_is_stopped_first():
    there = observed(http("db"), http("web", 8080, after={"db": "started"}))

    changes = compare(plan(http("db", 8080), http("web", after={"db": "started"})), there)

    assert order(changes) == {"stop:web": set(), "db": {"stop:web"}, "web": {"stop:web", "db"}}


def test_nothing_is_stopped_before_what_it_is_stopped_for_is_built():
    there = observed(http("api", 1), http("web", 2))
    there = replace(there, images={})
    changed = (replace(http("api", 2), source=unit("x", image="x:2").source), http("web", 1))
    old = {name: replace(one, build="gone") for name, one in there.units.items()}

    changes = compare(plan(*changed), replace(there, units=old))

    assert {change.key: change.needs for change in changes}["stop:api"] == ("build:web",)


def test_a_volume_goes_from_one_service_to_another_when_that_has_let_go_of_it():
    old, new = unit("old", volumes=(Volume("data", "/data"),)), unit("new")
    to = (unit("old"), unit("new", volumes=(Volume("data", "/data"),)))

    assert order(compare(plan(*to), observed(old, new))) == {"old": set(), "new": {"old"}}


def test_a_volume_that_both_go_on_to_share_makes_nobody_wait():
    shared = (Volume("data", "/data"),)
    there = observed(unit("a", volumes=shared), unit("b"))
    wanted_units = (unit("a", volumes=shared, env={"X": "1"}), unit("b", volumes=shared))

    assert order(compare(plan(*wanted_units), there)) == {"a": set(), "b": set()}


def test_an_alias_goes_to_another_service_when_the_first_has_let_go_of_it():
    there = observed(replace(unit("a"), run=replace(unit("a").run, aliases=("a", "cache"))))

    changes = compare(plan(unit("a"), unit("cache")), there)

    assert order(changes) == {"a": set(), "cache": {"a"}}


def test_a_port_at_all_addresses_is_that_port_at_each():
    everywhere = replace(
        http("api"), run=replace(http("api").run, ports=(Port(80, 8080, "0.0.0.0"),))
    )
    there = observed(unit("api"), http("web", 8080))

    assert order(compare(plan(everywhere, http("web")), there)) == {"web": set(), "api": {"web"}}


def test_ports_of_other_protocols_and_addresses_are_others():
    there = observed(unit("api"), http("web", 8080))
    for port in (Port(80, 8080, protocol="udp"), Port(80, 8080, "192.0.2.1")):
        api = unit("api", ports=(port,))
        assert order(compare(plan(api, http("web")), there)) == {"web": set(), "api": set()}


def test_what_the_engine_chose_is_let_go_of_too():
    web = http("web", 0)
    there = observed(unit("api"), web)
    there = replace(there, units={**there.units, "web": made(web, addresses=("127.0.0.1:32768",))})

    changes = compare(plan(http("api", 32768), unit("web")), there)

    assert order(changes) == {"web": set(), "api": {"web"}}


def test_a_unit_that_never_ran_has_nothing_to_let_go_of():
    there = observed(unit("api"), http("web", 8080))
    web = made(http("web", 8080), status=Status.CREATED)

    changes = compare(
        plan(http("api", 8080), http("web")), replace(there, units={**there.units, "web": web})
    )

    assert order(changes) == {"api": set(), "web": set()}


@pytest.mark.parametrize("run", ["{not json", "[]", '{"ports": 5, "volumes": [3], "aliases": {}}'])
def test_a_record_that_cannot_be_read_tells_of_no_ports(run):
    there = observed(unit("api"), http("web", 8080))
    web = replace(there.units["web"], run=run)

    changes = compare(
        plan(http("api", 8080), http("web")), replace(there, units={**there.units, "web": web})
    )

    assert {change.key for change in changes} == {"api", "web"}


def test_a_selection_takes_along_what_has_its_port_and_starts_again_what_is_stopped_for_it():
    moved = compare(
        plan(http("api", 8080), http("web"), unit("other")),
        observed(http("api"), http("web", 8080)),
    )
    swapped = compare(
        plan(http("api", 2), http("web", 1)), observed(http("api", 1), http("web", 2))
    )

    assert [change.key for change in only(moved, frozenset({"api"}))] == ["web", "api"]
    assert {change.key for change in only(swapped, frozenset({"api"}))} == {
        "stop:api", "stop:web", "api", "web"
    }  # fmt: skip


def test_a_selection_removes_only_what_has_what_it_takes():
    there = observed(http("old", 8080), http("older", 9090))

    changes = only(compare(plan(http("web", 8080), unit("x")), there), frozenset({"web"}))

    assert [change.key for change in changes if change.action is Action.REMOVE] == ["old"]


NAMES = ("a", "b", "c", "d")
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        name: st.tuples(st.sets(st.integers(1, 3), max_size=1), st.sets(st.sampled_from(NAMES)))
        for name in NAMES
    },
)


def _plan(services):
    """A plan in which no two have the same port, and each waits for earlier ones only."""
    taken = set()
    units = []
    for name, (ports, after) in services.items():
        own = ports - taken
        taken |= own
        needed = {one: "started" for one in after if one in services and one < name}
        units.append(http(name, *own, after=needed))
    return plan(*units)


@settings(max_examples=examples(100))
@given(SERVICES, SERVICES, st.sampled_from([frozenset(), RECONFIGURED]), st.data())
def test_no_two_have_the_same_at_once_in_any_order_that_the_needs_allow(
    old, new, reconfigure, data
):
    before, after = _plan(old), _plan(new)
    has = {one.name: observed_holdings(made(one)) for one in before.units}
    left = list(compare(after, observed(*before.units), reconfigure=reconfigure))
    done = set()
    while left:
        ready = [change for change in left if set(change.needs) <= done]
        assert ready, "these wait for each other"
        change = data.draw(st.sampled_from(ready))
        left.remove(change)
        done.add(change.key)
        if change.action in (Action.STOP, Action.REMOVE):
            has[change.unit] = frozenset()
        elif change.action is not Action.BUILD:
            has[change.unit] = planned_holdings(change.target)
            for name, what in has.items():
                mine = {one for one in has[change.unit] if one.kind == "port"}
                others = what if name != change.unit else ()
                assert not any(one.clashes(other) for one in mine for other in others)
