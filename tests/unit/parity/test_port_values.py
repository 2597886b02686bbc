"""Two checkouts, or two backends, are the same though each has its own ports of the host."""

from __future__ import annotations

import json

from envctl.parity.fact_format import Category, Facts, UnitFacts
from envctl.parity.port_values import with_port_references
from envctl.plan.host_ports import with_host_ports
from envctl.plan.model import Plan, Port, Process, ReadyImage, Run, Unit
from envctl.plan.port_references import port_mark
from envctl.plan.scope import Scope

MARK = port_mark("web", 8000)
SCRIPT = f'exec app --say "it\'s" --at {MARK}'


def spec() -> Plan:
    process = Process(("sh", "-ec", SCRIPT), env={"URL": f"http://x:{MARK}/", "PORT": "20001"})
    run = Run(process=process, ports=(Port(8000),))
    return Plan(
        Scope("shop", "0", "dev", "/"), "docker", (Unit("web", "web", ReadyImage("x"), run),)
    )


def facts_of(plan: Plan) -> Facts:
    """What a unit of the plan would tell."""
    [unit] = plan.units
    process, port = unit.run.process, unit.run.ports[0].host
    values: UnitFacts = {
        Category.ENVIRONMENT: {**process.env, "ADDED": f"{port}"},
        Category.PROCESS: {
            "argv": json.dumps(process.argv, ensure_ascii=False),
            "directory": "/srv/20001",
        },
        Category.PROCESSES: {f"app --say it's --at {port}": "user 0", f"app {port}0": "user 0"},
        Category.USERS: {"web": "20001"},
    }
    return Facts("shop", "dev", "docker", {"web": values})


def rewritten(port: int) -> UnitFacts:
    plan = with_host_ports(spec(), {"web 127.0.0.1:8000/tcp": port})
    return with_port_references(facts_of(plan), plan, spec()).units["web"]


def test_what_refers_to_a_port_says_so_and_all_else_is_as_it_was() -> None:
    facts = rewritten(20001)
    assert facts[Category.ENVIRONMENT] == {
        "URL": "http://x:${port.web.8000}/",
        "PORT": "20001",
        "ADDED": "20001",
    }
    assert json.loads(facts[Category.PROCESS]["argv"])[2] == SCRIPT.replace(
        MARK, "${port.web.8000}"
    )
    assert facts[Category.PROCESS]["directory"] == "/srv/20001"
    assert [*facts[Category.PROCESSES]] == ["app --say it's --at ${port.web.8000}", "app 200010"]
    assert facts[Category.USERS] == {"web": "20001"}


def test_two_choices_make_no_difference() -> None:
    here, there = rewritten(20001), rewritten(23456)
    assert here[Category.PROCESS] == there[Category.PROCESS]
    assert here[Category.ENVIRONMENT]["URL"] == there[Category.ENVIRONMENT]["URL"]
    assert "app --say it's --at ${port.web.8000}" in there[Category.PROCESSES]


def test_a_value_that_something_has_changed_is_reported_as_it_is() -> None:
    plan = with_host_ports(spec(), {"web 127.0.0.1:8000/tcp": 20001})
    units: dict[str, UnitFacts] = {"web": {Category.ENVIRONMENT: {"URL": "http://x:20002/"}}}
    after = with_port_references(Facts("shop", "dev", "docker", units), plan, spec())
    assert after.units["web"][Category.ENVIRONMENT] == {"URL": "http://x:20002/"}
