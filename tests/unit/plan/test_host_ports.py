"""Ports of the host that a spec leaves open: chosen once, the same again, never twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.plan.digest import run_text
from envctl.plan.host_ports import (
    COUNT,
    FIRST,
    OpenPort,
    choose,
    fixed_ports,
    open_ports,
    portable_ports,
    ports_in_use,
    ports_of_units,
    with_host_ports,
    with_portable_references,
)
from envctl.plan.model import Plan, Port, Process, ReadyImage, Run, Unit
from envctl.plan.port_references import port_mark
from envctl.plan.scope import Scope
from envctl.plan.state import Observed, Status, UnitState

KEY = "web 127.0.0.1:8000/tcp"


def unit(name: str, *ports: Port, argv: tuple[str, ...] | None = None, **env: str) -> Unit:
    run = Run(process=Process(argv=argv, env=env), ports=ports)
    return Unit(name, name.partition("-")[0], ReadyImage("x"), run)


def plan(*units: Unit) -> Plan:
    return Plan(Scope("shop", "0", "dev", "/srv/shop"), "docker", units)


def chosen(*ports: OpenPort, **more: object) -> dict[str, int]:
    usual: dict[str, object] = {
        "seed": "a", "before": {}, "held": {}, "reserved": (), "is_free": lambda *_: True
    }  # fmt: skip
    return choose(ports, **{**usual, **more})  # type: ignore[arg-type]


names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
some_ports = st.lists(
    st.builds(OpenPort, names, st.builds(Port, st.integers(1, 65535))),
    unique_by=lambda port: port.key,
    max_size=8,
)
numbers = st.integers(FIRST, FIRST + 40)


@given(some_ports, st.text(max_size=5), st.sets(numbers), st.sets(numbers))
def test_each_port_gets_one_of_its_own_that_is_free_and_the_same_next_time(
    ports: list[OpenPort], seed: str, reserved: set[int], used: set[int]
) -> None:
    def is_free(_port: Port, number: int) -> bool:
        return number not in used

    first = chosen(*ports, seed=seed, reserved=reserved, is_free=is_free)
    assert first.keys() == {port.key for port in ports}
    assert len({*first.values()}) == len(first)
    assert not {*first.values()} & (reserved | used)
    again = chosen(*ports, seed=seed, before=first, reserved=reserved, is_free=is_free)
    assert again == first
    # What runs has its port itself, so that is in use.
    busy = chosen(*ports, seed="b", before=first, held=first, is_free=lambda *_: False)
    assert busy == first


# The number that the second would get next is that of the third.
@example([OpenPort("a", Port(1)), OpenPort("p", Port(127)), OpenPort("cf", Port(3443))], 1)
@given(some_ports, st.integers(0, 7))
def test_a_port_that_something_else_has_now_gets_another_one_and_the_others_keep_theirs(
    ports: list[OpenPort], index: int
) -> None:
    first = chosen(*ports)
    if not ports:
        return
    lost = ports[index % len(ports)].key
    after = chosen(*ports, before=first, is_free=lambda _, number: number != first[lost])
    assert after[lost] != first[lost]
    assert {**after, lost: 0} == {**first, lost: 0}


def test_the_order_in_the_spec_does_not_matter() -> None:
    ports = [OpenPort(name, Port(8000)) for name in ("web", "db", "cache")]
    assert chosen(*ports) == chosen(*reversed(ports))


def test_that_no_port_is_free_is_an_error_that_names_the_unit() -> None:
    with pytest.raises(EnvctlError) as caught:
        chosen(OpenPort("web", Port(8000)), reserved=range(FIRST, FIRST + COUNT))
    assert caught.value.brief == "no port of this host is free for port 8000 of web"


def test_a_plan_gets_the_chosen_ports_also_where_values_refer_to_them() -> None:
    web = unit(
        "web",
        Port(8000),
        Port(9000, 9001),
        argv=("serve", f"--at={port_mark('web', 9000)}"),
        URL=f"http://127.0.0.1:{port_mark('web', 8000)}/",
        DB=port_mark("db", 5432),
    )
    db = unit("db", Port(5432))
    spec = plan(web, db)
    assert [port.key for port in open_ports(spec)] == [KEY, "db 127.0.0.1:5432/tcp"]
    assert fixed_ports(spec) == {9001}
    after = with_host_ports(spec, {KEY: 20001})
    first, second = after.units
    assert first.run.ports == (Port(8000, 20001), Port(9000, 9001))
    assert first.run.process.argv == ("serve", "--at=9001")
    # What is not known yet is shown as the spec has it.
    assert first.run.process.env == {"URL": "http://127.0.0.1:20001/", "DB": "${port.db.5432}"}
    assert second == db


def test_a_plan_without_open_ports_stays_as_it_is() -> None:
    spec = plan(unit("web", Port(80, 8080)))
    assert with_host_ports(spec, {}) == spec


def test_existing_units_tell_their_ports() -> None:
    run = unit("web", Port(8000, 20001), Port(9000)).run
    state = UnitState("web", "web", Status.STOPPED, run=run_text(run))
    assert ports_of_units(Observed({"web": state})) == {KEY: 20001}
    assert ports_in_use(Observed({"web": state})) == {}
    up = replace(state, status=Status.RUNNING, published={"8000/tcp": ("127.0.0.1:20001",)})
    assert ports_in_use(Observed({"web": up})) == {KEY: 20001}
    lost = replace(up, published={})
    assert ports_in_use(Observed({"web": lost})) == {}
    # An engine lists none of what is paused, and yet nothing else can have it.
    for status in (Status.PAUSED, Status.RESTARTING, Status.STARTING, Status.UNREACHABLE):
        assert ports_in_use(Observed({"web": replace(lost, status=status)})) == {KEY: 20001}
    for odd in ("", "[", "[]", "{}", '{"ports": [{}]}', '{"ports": 1}'):
        assert ports_of_units(Observed({"web": replace(state, run=odd)})) == {}


@given(some_ports)
def test_a_rendered_folder_has_the_same_ports_in_every_checkout(ports: list[OpenPort]) -> None:
    units = [unit(f"u{index}", port.port) for index, port in enumerate(ports)]
    here, there = plan(*units), replace(plan(*units), scope=Scope("shop", "1", "dev", "/b"))
    assert portable_ports(here) == portable_ports(there)
    assert len({*portable_ports(here).values()}) == len(units)


def test_a_rendered_folder_fixes_only_the_ports_that_values_refer_to() -> None:
    web = unit("web", Port(8000), Port(9000), URL=f"x:{port_mark('web', 8000)}")
    [after] = with_portable_references(plan(web)).units
    first, second = after.run.ports
    assert after.run.process.env == {"URL": f"x:{first.host}"}
    assert FIRST <= first.host < 30_000
    assert second == Port(9000)
