"""Volumes that images declare, as disks of machines: what a machine is made with, and what its stamp tells."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from envctl.backends.base import Context
from envctl.backends.vagrant import libvirt, lifecycle
from envctl.backends.vagrant.box import box_files
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.box.boxes import Boxes
from envctl.backends.vagrant.box.engine_boxes import EngineBoxes
from envctl.backends.vagrant.machine import machine_control
from envctl.backends.vagrant.machine.domain import Domain
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.plan.changes import Action, Change
from envctl.plan.model import NewVolume, ReadyImage, Volume
from tests.support.plans import SCOPE, unit

NAMES = MachineNames(SCOPE)


class Host:
    """libvirt, Vagrant and SSH on paper: machines are made, stamped and told things."""

    def __init__(self, monkeypatch, tmp_path):
        self.domains: dict[str, Domain] = {}
        self.pool: set[str] = set()
        self.rendered: list = []
        self.told: list[str] = []
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setattr(machine_control.ssh_key, "make_key", lambda _: "KEY")
        monkeypatch.setattr(machine_control, "Vagrant", lambda _: SimpleNamespace(up=self._up))
        monkeypatch.setattr(lifecycle.port_forwards, "remove", lambda *_: None)
        monkeypatch.setattr(lifecycle.port_forwards, "add", lambda *_: None)
        for name, does in {
            "domain": self.domains.get,
            "domains": lambda _: dict(self.domains),
            "disks": lambda: sorted(self.pool),
            "undefine": lambda name: self.domains.pop(name, None),
            "ensure_pool": lambda: None,
            "ensure_network": lambda *_: None,
            "stamp": self._stamp,
        }.items():
            monkeypatch.setattr(libvirt, name, does)
        machine = SimpleNamespace(
            address="10.0.0.2",
            run=self._run,
            disconnect=lambda: None,
            wait_for_boot=lambda: None,
        )
        monkeypatch.setattr(Machines, "ssh_machine", lambda *_: machine)
        monkeypatch.setattr(EngineBoxes, "ensure", lambda *_: "box")
        monkeypatch.setattr(BoxStore, "stock", lambda *_: None)
        engine = SimpleNamespace(
            images=SimpleNamespace(volumes={"pg": ("/var/lib/pg", "/data")}.get)
        )
        engine.name_of = lambda source: getattr(source, "image", "built")
        context = Context(SCOPE, render=self._render, images=lambda: engine)
        boxes = Boxes(context, BoxStore(context))
        self.lifecycle = lifecycle.UnitLifecycle(context, NAMES, Machines(NAMES), boxes)

    def _render(self, _template, values):
        self.rendered.append(values)
        return "Vagrantfile"

    def _up(self):
        (machine,) = self.rendered[-1]["machines"]
        self.pool |= {disk["path"] for disk in machine["disks"]}
        name = NAMES.prefix + machine["name"]
        self.domains[name] = Domain(name, "uuid", "running", None)

    def _stamp(self, name, data):
        self.domains[name] = replace(self.domains[name], stamp=json.loads(json.dumps(data)))

    def _run(self, script, *, data=b"", **_):
        self.told.append(script + data.decode("utf-8", "replace"))
        return ""


@pytest.fixture
def host(monkeypatch, tmp_path):
    monkeypatch.setattr(box_files, "box_folder", lambda _: tmp_path / "box")
    return Host(monkeypatch, tmp_path)


def change(one):
    return Change(Action.CREATE, one.name, (), one)


def test_what_an_image_declares_is_a_disk_and_the_container_has_it_also_when_it_is_set_up_again(
    host,
):
    db = replace(unit("db", volumes=(Volume("data", "/data"),)), source=ReadyImage("pg"))
    host.lifecycle.apply(change(db))

    disks = {NAMES.disk("data"), NAMES.disk("db:/var/lib/pg")}
    assert host.pool == disks
    assert {NAMES.volume(disk) for disk in disks} == {"data", "db:/var/lib/pg"}
    (script,) = (text for text in host.told if "docker" in text and "/var/lib/pg" in text)
    assert "--mount=type=volume,source=own-" in script
    assert "device=/var/lib/envctl/volumes/db%3A%2Fvar%2Flib%2Fpg" in script
    (domain,) = host.domains.values()
    assert domain.stamp["own"] == [["db:/var/lib/pg", "/var/lib/pg"]]

    host.told.clear()
    host.lifecycle._set_up(db, domain)
    assert any("source=own-" in text for text in host.told)
    assert next(iter(host.domains.values())).stamp["own"] == domain.stamp["own"]


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_new_disk_is_given_to_whom_the_spec_says_and_an_old_one_to_nobody(host, cut_off):
    web = unit("web")
    new = NewVolume("web", web.source, "/data", "33:34")
    web = replace(web, run=replace(web.run, volumes=(Volume("data", "/data", new=new),)))
    if cut_off:
        # A machine without a unit settled in it is what a killed run left.
        host.pool.add(NAMES.disk("data"))
        host.domains[NAMES.domain("web")] = Domain(NAMES.domain("web"), "u", "running", None)

    host.lifecycle.apply(change(web))
    assert any(
        "chown -- '33:34' '/data'" in text or "chown -- 33:34 /data" in text for text in host.told
    )

    host.told.clear()
    host.lifecycle.control._new_volumes.clear()
    host.lifecycle.control._new_machines.clear()
    host.lifecycle.apply(change(web))
    assert not any("33:34" in text for text in host.told)
