"""Machines that are there for one-offs: who makes, starts and shares one, and that it is as before when all have left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from envctl.backends.base import Context
from envctl.backends.common.makers import here
from envctl.backends.vagrant import layout, libvirt
from envctl.backends.vagrant.lifecycle import UnitLifecycle
from envctl.backends.vagrant.machine import machine_health
from envctl.backends.vagrant.machine.domain import Domain
from envctl.backends.vagrant.machine.machine_control import MachineControl
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import SHARED, MachineNames
from envctl.backends.vagrant.observe import observe
from envctl.backends.vagrant.one_off_machines import OneOffMachine
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Unit
from envctl.plan.scope import Scope
from tests.support.plans import unit

WEB = unit("web")
MACHINE = {"volumes": [], "mounts": [], "cpus": 1, "memory": 512, "disk_size": "1G"}
SHARING = unit("web", options={"machine": MACHINE})


class World:
    """libvirt with these machines: by name what is stamped on them; what was done there is in `ran`, by machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: MachineNames) -> None:
        self.names = names
        self.domains: dict[str, Domain] = {}
        self.ran: dict[str, list[str]] = {}
        self.active = ""
        self.interrupted_boot = False
        boxes = SimpleNamespace(
            box_of=lambda _unit, _source: "box", store=SimpleNamespace(source_id=lambda _box: "")
        )
        self.machines = Machines(names)
        self.lifecycle = UnitLifecycle(Context(names.scope), names, self.machines, boxes)  # type: ignore[arg-type]
        for name, stand_in in {
            "virsh": self.virsh,
            "domain": self.domains.get,
            "domains": lambda _prefix: dict(self.domains),
            "inventory": lambda _prefix, _likely: libvirt.Inventory(dict(self.domains), [], []),
            "stamp": lambda name, data: self.put(name, self.domains[name].state, data),
            "undefine": lambda name: self.domains.pop(name, None),
            "wait_until_off": lambda name: self.put(name, "shut off", self.domains[name].stamp),
        }.items():
            monkeypatch.setattr(libvirt, name, stand_in)
        monkeypatch.setattr(Machines, "ssh_machine", self.ssh_machine)
        monkeypatch.setattr(MachineControl, "make", self.make)

    def put(self, name: str, state: str, stamp: Mapping[str, Any] | None) -> None:
        self.domains[name] = Domain(name, name, state, stamp)

    def has(self, machine: str, state: str = "running", *units: str, **stamp: object) -> None:
        notes = {name: note(name) for name in units}
        whole = {"made_for": "", "address": "10.0.0.2", "units": notes, **stamp}
        self.put(self.names.domain(machine), state, whole)

    def virsh(self, *argv: str, **_options: object) -> str:
        if argv[0] == "start":
            self.put(argv[1], "running", self.domains[argv[1]].stamp)
        return ""

    def make(self, machine: layout.DesiredMachine, _unit: Unit) -> None:
        name = self.names.domain(machine.name)
        self.put(name, "running", None)
        if self.interrupted_boot:
            raise KeyboardInterrupt
        self.put(name, "running", {"made_for": machine.digest, "made_of": "", "units": {}})

    def ssh_machine(self, domain: Domain) -> SimpleNamespace:
        ran = self.ran.setdefault(domain.name.rpartition("_")[2], [])

        def run(script: str, **_options: object) -> str:
            assert self.domains[domain.name].running, "nothing runs in a machine that does not"
            ran.append(script)
            return self.active

        nothing = {name: lambda *_: None for name in ("disconnect", "connect", "wait_for_boot")}
        return SimpleNamespace(run=run, address="10.0.0.2", **nothing)

    def one_off(self, of: Unit = WEB) -> OneOffMachine:
        return OneOffMachine(of, self.names, self.machines, self.lifecycle)

    def observed(self) -> tuple[list[str], list[str]]:
        """The units that are seen, and what is seen beside them."""
        store = SimpleNamespace(pinned={})
        seen = observe(self.names, store, self.machines, plan=None)  # type: ignore[arg-type]
        return sorted(seen.units), [text for text in seen.leftovers if text.startswith("machine ")]


def note(name: str, **more: object) -> dict[str, object]:
    return {
        "service": name, "replica": 1, "build": "b", "run": "{}", "ports": {}, "aliases": [name], **more
    }  # fmt: skip


def ended_user() -> str:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return f"{here()}-{process.pid}-aaaaaa"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> World:
    return World(monkeypatch, MachineNames(Scope("shop", "0a1b2c3d", "dev", str(tmp_path))))


def domain(world: World, machine: str = "web") -> Domain:
    return world.domains[world.names.domain(machine)]


def test_a_unit_that_is_not_up_gets_a_machine_that_no_command_sees_as_the_units_and_that_goes(
    world: World,
) -> None:
    one_off = world.one_off()
    one_off.borrow()

    assert one_off.is_borrowed
    # All that the unit needs is there, and it does not run.
    assert "tar -xpf - -C /" in world.ran["web"][0]
    assert "systemctl start" not in "\n".join(world.ran["web"])
    assert world.observed() == ([], ["machine web"])

    one_off.give_back()

    assert world.domains == {}


def test_a_unit_that_is_up_lends_its_machine_as_it_is(world: World) -> None:
    world.has("web", "running", "web")
    before = dict(world.domains)
    one_off = world.one_off()

    assert one_off.borrow() == domain(world)

    assert not one_off.is_borrowed
    assert (world.domains, world.ran) == (before, {})


def test_a_stopped_unit_stays_stopped_and_its_machine_goes_off_again(world: World) -> None:
    world.has("web", "shut off", "web")
    one_off = world.one_off()
    one_off.borrow()
    assert domain(world).running
    assert any("tar -xpf" in script for script in world.ran["web"])

    one_off.give_back()

    assert domain(world).off
    assert set(domain(world).units) == {"web"}
    assert domain(world).one_offs == {}


def test_a_machine_stays_on_if_its_unit_was_started_meanwhile(world: World) -> None:
    world.has("web", "shut off", "web")
    one_off = world.one_off()
    one_off.borrow()
    world.active = "envctl-web.service loaded active running web\n"

    one_off.give_back()

    assert (domain(world).running, domain(world).one_offs) == (True, {})


def test_of_two_one_offs_the_last_one_takes_the_machine_with_it(world: World) -> None:
    first, second = world.one_off(), world.one_off()
    first.borrow()
    second.borrow()

    first.give_back()
    assert domain(world).running

    second.give_back()
    assert world.domains == {}


@pytest.mark.parametrize("state", ["running", "shut off"])
def test_what_a_killed_run_left_is_removed_by_the_next_one(world: World, state: str) -> None:
    left = {"users": [ended_user()], "units": ["job"], "started": False}
    world.has("job", state, one_offs=left)
    alive = {"users": [f"{here()}-{os.getpid()}-bbbbbb"], "units": ["tool"], "started": False}
    world.has("tool", "running", one_offs=alive)

    world.one_off().borrow()

    assert {name.rpartition("_")[2] for name in world.domains} == {"tool", "web"}


def test_up_takes_the_machine_over_and_it_stays(world: World) -> None:
    one_off = world.one_off()
    one_off.borrow()

    world.lifecycle.apply(Change(Action.CREATE, "web", because("does not exist yet"), WEB))
    made = domain(world)
    assert set(made.units) == {"web"}

    one_off.give_back()

    assert (set(domain(world).units), domain(world).one_offs) == ({"web"}, {})
    assert domain(world).running


def test_what_was_taken_down_and_made_again_is_not_the_one_offs(world: World) -> None:
    one_off = world.one_off()
    one_off.borrow()
    world.has("web", "running", one_offs={"users": [f"{here()}-{os.getpid()}-cccccc"], "units": ["web"], "started": False})  # fmt: skip

    one_off.give_back()

    assert domain(world).running
    world.domains.clear()
    one_off.give_back()


def test_a_machine_whose_making_is_interrupted_is_removed(world: World) -> None:
    world.interrupted_boot = True
    one_off = world.one_off()
    with pytest.raises(KeyboardInterrupt):
        one_off.borrow()

    one_off.give_back()

    assert world.domains == {}


def test_a_unit_is_taken_out_of_a_machine_that_it_shares(world: World) -> None:
    digest = layout.machine_of(SHARING).digest
    world.has(SHARED, "running", "db", made_for=digest)
    one_off = world.one_off(SHARING)
    one_off.borrow()
    assert one_off.shares(domain(world, SHARED))
    assert set(domain(world, SHARED).units) == {"db"}

    one_off.give_back()

    scripts = [script for script in world.ran["all"] if "rm -rf /run/envctl/secrets/web" in script]
    assert "rm -f /run/envctl/in-place/web" in scripts[-1]
    assert set(domain(world, SHARED).units) == {"db"}
    assert (domain(world, SHARED).running, domain(world, SHARED).one_offs) == (True, {})


def test_a_shared_machine_of_an_earlier_spec_is_an_error_that_says_what_to_do(world: World) -> None:
    world.has(SHARED, "running", "db", made_for="earlier")
    one_off = world.one_off(SHARING)

    with pytest.raises(EnvctlError, match="made of an earlier spec") as caught:
        one_off.borrow()
    one_off.give_back()

    assert caught.value.hint == "bring it up to date with `envctl up dev`"
    assert set(domain(world, SHARED).units) == {"db"}


def test_others_do_not_find_it_by_its_name_and_it_finds_itself(world: World) -> None:
    world.has("db", "running", "db", address="10.0.0.9")
    world.one_off().borrow()
    names = machine_health.names_by_address(world.domains.values())

    assert names == {"10.0.0.9": ["db"], "10.0.0.2": []}
    assert machine_health.names_inside(domain(world, "db"), names)["10.0.0.2"] == []
    assert machine_health.names_inside(domain(world), names) == {
        "10.0.0.9": ["db"],
        "10.0.0.2": ["web"],
    }
