"""What a unit has that no other should have at the same time."""

from __future__ import annotations

import json

import pytest

from envctl.plan.holdings import Holding, observed_holdings, planned_holdings
from envctl.plan.model import Port, Volume
from envctl.plan.state import Status, UnitState
from tests.support.plans import made, unit


def port(name, address=""):
    return Holding("port", name, address)


def state(**known):
    return UnitState("web-2", "web", Status.RUNNING, **known)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (port("80"), port("80")),
        (port("80", "127.0.0.1"), port("80", "127.0.0.1")),
        (port("80", "0.0.0.0"), port("80", "127.0.0.1")),
        (port("80", "::"), port("80", "192.0.2.1")),
        (port("80", ""), port("80", "192.0.2.1")),
        (Holding("name", "db"), Holding("name", "db")),
    ],
)
def test_what_cannot_be_had_twice_clashes_whichever_is_asked(one, other):
    assert one.clashes(other)
    assert other.clashes(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (port("80"), port("81")),
        (port("80"), port("80/udp")),
        (port("80", "127.0.0.1"), port("80", "192.0.2.1")),
        (Holding("name", "data"), Holding("volume", "data")),
    ],
)
def test_different_things_do_not_clash_whichever_is_asked(one, other):
    assert not one.clashes(other)
    assert not other.clashes(one)


def test_a_unit_wants_the_ports_that_are_chosen_its_names_and_its_volumes():
    ports = (Port(80, 8080), Port(81), Port(53, 53, "::", "udp"))
    one = unit("web", ports=ports, volumes=(Volume("data", "/data"),))
    assert {(str(thing), thing.address) for thing in planned_holdings(one)} == {
        ("port 8080", "127.0.0.1"),
        ("port 53/udp", "::"),
        ("name web", ""),
        ("volume data", ""),
    }


def test_what_was_made_has_what_was_wanted():
    one = unit("web", ports=(Port(80, 8080), Port(53, 53, "::", "udp")), volumes=(Volume("data", "/data"),))  # fmt: skip
    assert observed_holdings(made(one)) == planned_holdings(one)


@pytest.mark.parametrize("status", [Status.MISSING, Status.CREATED])
def test_what_never_ran_has_nothing(status):
    assert (
        observed_holdings(made(unit("web", ports=(Port(80, 8080),)), status=status)) == frozenset()
    )


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.MISSING, Status.CREATED}))
def test_all_else_has_its_names_even_if_it_does_not_run(status):
    assert Holding("name", "web") in observed_holdings(made(unit("web"), status=status))


@pytest.mark.parametrize(
    ("shown", "name", "address"),
    [
        ("127.0.0.1:32768", "32768", "127.0.0.1"),
        ("[::]:8080", "8080", "::"),
        ("[::1]:53/udp", "53/udp", "::1"),
        ("0.0.0.0:80/tcp", "80", "0.0.0.0"),
    ],
)
def test_addresses_that_the_engine_shows_are_ports_of_the_host(shown, name, address):
    assert port(name, address) in observed_holdings(state(addresses=(shown,)))


def test_a_record_without_protocol_or_address_means_tcp_at_every_address():
    run = json.dumps({"ports": [{"host": 80}], "volumes": [{"name": "data"}], "aliases": ["www"]})
    assert observed_holdings(state(run=run)) == {
        Holding("name", "web-2"),
        Holding("name", "web"),
        Holding("name", "www"),
        Holding("volume", "data"),
        port("80"),
    }


@pytest.mark.parametrize(
    "run", ["", "{", "[" * 100_000, "[]", "7", "{}", '{"ports": [{"container": 80}, {"host": 0}, 5]}']
)  # fmt: skip
def test_a_record_that_tells_nothing_leaves_the_names(run):
    assert observed_holdings(state(run=run)) == {Holding("name", "web-2"), Holding("name", "web")}
