"""What is noted of a unit's life in its machine's stamp, and machines that are woken before anything else is done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from envctl.backends.base import Context
from envctl.backends.vagrant import libvirt
from envctl.backends.vagrant.lifecycle import UnitLifecycle
from envctl.backends.vagrant.machine.domain import Domain
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change, because
from envctl.plan.scope import Scope

RECORD = "success killed TERM 0 17"


def note(**more):
    return {"service": "web", "replica": 1, "build": "b", "run": "{}", "ports": {}, **more}


class Host:
    """libvirt with one domain, and the machine that it is."""

    def __init__(self, monkeypatch, names, state="running", **units):
        self.name = names.domain("_all")
        self.domain = Domain(self.name, "uuid", state, {"units": units})
        self.said: list[str] = []
        self.ran: list[str] = []
        self.active = ""
        monkeypatch.setattr(libvirt, "virsh", self.virsh)
        monkeypatch.setattr(libvirt, "domains", lambda _prefix: {self.name: self.domain})
        monkeypatch.setattr(libvirt, "domain", lambda _name: self.domain)
        monkeypatch.setattr(libvirt, "_described", lambda _names: {self.name: self.domain})
        monkeypatch.setattr(libvirt, "stamp", self.stamp)
        monkeypatch.setattr(libvirt, "wait_until_off", lambda _name: self.to("shut off"))
        self.answers = True
        machine = SimpleNamespace(run=self.run, disconnect=lambda: None, connect=self.connect)
        monkeypatch.setattr(Machines, "ssh_machine", lambda _self, _domain: machine)
        monkeypatch.setattr(Machines, "domain_of", lambda _self, _unit: self.domain)

    def virsh(self, *argv, **_options):
        self.said.append(" ".join(argv))
        if argv[0] in ("resume", "dompmwakeup", "start"):
            self.to("running")
        return ""

    def to(self, state):
        self.domain = Domain(self.name, "uuid", state, self.domain.stamp)

    def stamp(self, _name, data):
        self.domain = Domain(self.name, "uuid", self.domain.state, data)

    def connect(self, **_options):
        if not self.answers:
            raise EnvctlError("web does not answer")

    def run(self, script, **_options):
        self.connect()
        assert self.domain.running, "nothing runs in a machine that does not"
        self.ran.append(script)
        return f"{self.active}web started {RECORD}\n"


@pytest.fixture
def names(tmp_path):
    return MachineNames(Scope("shop", "0a1b2c3d", "dev", str(tmp_path)))


@pytest.fixture
def lifecycle(names):
    return UnitLifecycle(Context(names.scope), names, Machines(names), SimpleNamespace())


def stop(lifecycle, unit="web"):
    lifecycle.apply(Change(Action.STOP, unit, because("it is to stop")))


def test_that_envctl_stopped_a_unit_is_recorded_with_how_it_ended(monkeypatch, names, lifecycle):
    host = Host(monkeypatch, names, web=note(), db=note())
    host.active = "envctl-db.service loaded active running db\n"

    stop(lifecycle)

    assert "systemctl stop envctl-web.service" in host.ran[0]
    units = host.domain.units
    assert (units["web"]["stopped"], "stopped" in units["db"]) == (RECORD, False)
    assert host.domain.running


def test_the_last_unit_that_stops_takes_its_machine_with_it_and_the_note_stays(
    monkeypatch, names, lifecycle
):
    host = Host(monkeypatch, names, web=note())

    stop(lifecycle)

    assert host.domain.off
    assert host.domain.units["web"]["stopped"] == RECORD


@pytest.mark.parametrize(("state", "verb"), [("paused", "resume"), ("pmsuspended", "dompmwakeup")])
def test_a_machine_that_is_paused_is_woken_before_its_units_are_stopped(
    monkeypatch, names, lifecycle, state, verb
):
    host = Host(monkeypatch, names, state, web=note())

    stop(lifecycle)

    assert host.said[0] == f"{verb} {host.name}"
    assert host.domain.units["web"]["stopped"] == RECORD


def test_a_machine_that_cannot_be_woken_is_an_error_with_the_reason(monkeypatch, names):
    host = Host(monkeypatch, names, "paused", web=note())
    host.domain = Domain(host.name, "uuid", "paused", {}, "I/O error")
    monkeypatch.setattr(host, "to", lambda _state: None)
    monkeypatch.setattr(libvirt, "_PAUSE", 0.0)

    with pytest.raises(EnvctlError, match=r"stays paused \(I/O error\)"):
        libvirt.resume(host.domain)


def test_a_machine_that_is_started_is_made_known_to_those_that_run(monkeypatch, names, lifecycle):
    host = Host(monkeypatch, names, "shut off", web=note(aliases=["web"]))
    host.domain.stamp["address"] = "10.0.0.2"
    db = Domain(
        names.domain("db"),
        "uuid",
        "running",
        {"address": "10.0.0.3", "units": {"db": note(aliases=["db"])}},
    )
    told = {}

    def reach(_self, domain):
        def run(_script, *, data, **_options):
            told[domain.name] = data.decode()

        return SimpleNamespace(
            run=run,
            disconnect=lambda: None,
            wait_for_boot=lambda: None,
            address="10.0.0.9",
        )

    monkeypatch.setattr(Machines, "ssh_machine", reach)
    monkeypatch.setattr(libvirt, "domains", lambda _: {one.name: one for one in (host.domain, db)})

    lifecycle.control.running("_all")

    # Its address may be another one than before.
    assert host.domain.address == "10.0.0.9"
    assert "10.0.0.9 web" in told[db.name]
    assert "10.0.0.3 db" in told[host.name]


def test_a_hook_that_has_run_is_recorded_beside_those_before_it(monkeypatch, names, lifecycle):
    host = Host(monkeypatch, names, web=note(hooks=["h1"]), db=note())

    lifecycle.note_hook("web", "h2")

    assert host.domain.units["web"]["hooks"] == ["h1", "h2"]
    assert "hooks" not in host.domain.units["db"]


def test_a_unit_leaves_a_shared_machine_that_does_not_answer_and_no_other_joins_that(
    monkeypatch, names, lifecycle
):
    host = Host(monkeypatch, names, web=note(), db=note())
    host.domain.stamp["made_for"] = "these"
    host.answers = False

    lifecycle.apply(Change(Action.REMOVE, "web", because("down")))

    assert set(host.domain.units) == {"db"}
    assert host.domain.machine_digest == ""
