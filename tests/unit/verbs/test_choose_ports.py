"""`up` gives each open port one of this host, the same each time, and two checkouts different ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from envctl.host.port_records import read_record
from envctl.host.private_state import state_path
from envctl.project import Project as EnvctlProject
from envctl.session import Session
from envctl.verbs import plan as plan_verb
from envctl.verbs import render, up
from tests.support.project import Project

SPEC = """
web: {image: x, ports: ["8000"], env: {URL: "http://127.0.0.1:${port.web.8000}"}}
db: {image: x, ports: ["5432"]}
"""
FIXED = 'web: {image: x, ports: ["18080:80"], env: {URL: "${port.web.80}"}}'
Checkout = Callable[..., Project]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Makes a checkout of one project in a folder of that name."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def make(name: str, spec: str = SPEC) -> Project:
        return Project(tmp_path / name, backend="memory", environ={}, name="shop").spec(spec)

    return make


def opened(project: Project) -> EnvctlProject:
    return EnvctlProject(project.root, environ={}, report=project.events.append)


def ports(project: Project) -> dict[str, int]:
    """The port of the host of each unit that is up."""
    rows = project.workspace().status(project.target)
    return {row.unit: int(row.addresses[0].rpartition(":")[2]) for row in rows}


def test_ports_are_the_same_after_down_and_up(checkout: Checkout) -> None:
    project = checkout("shop")
    project.up()
    first = ports(project)
    assert len({*first.values()}) == 2
    assert project.up() == []
    project.down(volumes=True)
    assert project.up() == ["create web", "create db"]
    assert ports(project) == first


def test_two_checkouts_have_different_ports_and_neither_changes_the_other(
    checkout: Checkout,
) -> None:
    here, there = checkout("here"), checkout("there")
    here.up()
    there.up()
    assert len({*ports(here).values(), *ports(there).values()}) == 4
    assert here.up() == there.up() == []
    # What is down keeps its ports, too.
    before = ports(here)
    here.down()
    third = checkout("third")
    third.up()
    assert not {*ports(third).values()} & {*before.values()}


@pytest.mark.slow
def test_checkouts_that_come_up_at_the_same_time_have_different_ports(checkout: Checkout) -> None:
    projects = [checkout(f"checkout-{number}") for number in range(6)]
    threads = [threading.Thread(target=project.up) for project in projects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({port for project in projects for port in ports(project).values()}) == 12


def test_a_port_is_known_to_the_process_that_the_spec_tells_of_it(checkout: Checkout) -> None:
    project = checkout("shop")
    project.up()
    plan = Session(opened(project), project.target).plan
    web = plan.units[0]
    assert web.run.process.env == {"URL": f"http://127.0.0.1:{ports(project)['web']}"}


@pytest.mark.slow
def test_a_fresh_clone_is_looked_at_without_a_choice(checkout: Checkout) -> None:
    project = checkout("shop")
    text = project.cli("plan", "dev", "--offline").stdout
    assert "port 127.0.0.1:(a free port, chosen at up) → 8000/tcp" in text
    assert 'env URL="http://127.0.0.1:${port.web.8000}"' in text
    assert "${port.web.8000}" in project.cli("config", "dev").stdout
    for command in ("validate", "plan", "config", "status"):
        assert project.cli(command, "dev").returncode == 0
    assert not state_path(project.root, "ports").exists()


def test_what_is_decided_for_all_checkouts_does_not_depend_on_ports(checkout: Checkout) -> None:
    here, there = checkout("here"), checkout("there")
    here.up()
    sessions = [Session(opened(project), project.target) for project in (here, there)]
    builds, runs = zip(
        *(
            ([unit.source for unit in plan.units], [unit.run for unit in plan.units])
            for plan in (session.portable_plan for session in sessions)
        ),
        strict=True,
    )
    assert builds[0] == builds[1]
    assert runs[0] == runs[1]
    assert sessions[0].plan.units != sessions[1].plan.units


def test_a_lost_record_is_made_again_from_what_exists(checkout: Checkout) -> None:
    project = checkout("shop")
    project.up()
    before, file = ports(project), state_path(project.root, "ports", "dev@memory.json")
    file.unlink()
    decision = plan_verb.decide(opened(project), project.target)
    assert decision.changes == ()
    assert project.up() == []
    assert ports(project) == before
    assert file.exists()


def test_a_port_that_a_program_has_meanwhile_is_replaced_and_that_is_reported(
    checkout: Checkout,
) -> None:
    project = checkout("shop")
    project.up()
    before = ports(project)
    project.down()
    with socket.create_server(("127.0.0.1", before["web"])):
        project.up()
    after = ports(project)
    assert after["db"] == before["db"]
    assert after["web"] != before["web"]
    notes = [event.text for event in project.events if event.work == "web"]
    text = f"port {before['web']} of this host is in use or belongs to another checkout; using {after['web']} instead"
    assert text in notes


def test_a_checkout_may_take_free_ports_though_the_spec_names_some(checkout: Checkout) -> None:
    here, there = checkout("here", FIXED), checkout("there", FIXED)
    here.up()
    up.up(opened(there), there.target, free_ports=True)
    assert ports(here) == {"web": 18080}
    chosen = ports(there)["web"]
    assert chosen != 18080
    # It stays so, also for commands that only look.
    assert there.up() == []
    plan = Session(opened(there), there.target).plan
    assert plan.units[0].run.process.env == {"URL": str(chosen)}
    assert any("uses free ports in this checkout" in event.text for event in there.events)
    # And back.
    here.down()
    result = up.up(opened(there), there.target, free_ports=False)
    assert [change.cause for change in result.changes] == [
        f'env URL "{chosen}" → "18080"; port {chosen} → 18080'
    ]
    assert ports(there) == {"web": 18080}


def test_a_comparison_brings_up_on_free_ports_and_leaves_the_choice_to_the_user(
    checkout: Checkout,
) -> None:
    project = checkout("shop", FIXED)
    visitor = opened(project).with_free_ports()
    up.bring_up(Session(visitor, project.target))
    assert ports(project)["web"] != 18080
    assert not read_record(project.root, "dev@memory").free_ports
    assert Session(opened(project), project.target).plan.units[0].run.ports[0].host == 18080


@pytest.mark.slow
def test_a_rendered_folder_has_ports_only_where_values_refer_to_them(checkout: Checkout) -> None:
    here, there = checkout("here"), checkout("there")
    here.write("environments/dev.yaml", "backend: docker\n")
    there.write("environments/dev.yaml", "backend: docker\n")
    rendered = [
        str(
            render.render(opened(project), project.target.__class__("dev", "docker"))[
                "compose.yaml"
            ]
        )
        for project in (here, there)
    ]
    assert rendered[0].replace(str(here.root), "") == rendered[1].replace(str(there.root), "")
    assert rendered[0].count("published:") == 1
    number = rendered[0].partition("published:")[2].split('"')[1]
    assert f"http://127.0.0.1:{number}" in rendered[0]
