"""One change made to machines. Each may have been cut off in the middle before and converges.

A machine is stamped, at libvirt, when it is whole: one without a stamp is what an interrupted run left,
and is made anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.vagrant import guest, libvirt, ssh, vagrantfile
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.names import Names
from envctl.backends.vagrant.runner import Vagrant
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.model import Build, Unit

PORTS: Final = "ports.json"
"""Where the host's ports of a machine are noted, in its folder."""


class Lifecycle:
    """Makes, starts, stops and removes the machines of one environment, and what they share."""

    def __init__(self, context: Context, names: Names, boxes: Boxes) -> None:
        self._context = context
        self._names = names
        self._boxes = boxes
        self._guard = Lock()

    def apply(self, change: Change) -> None:
        """Do a change of a machine, a volume, or of what the environment shares."""
        unit = change.target if isinstance(change.target, Unit) else None
        with_unit: dict[Action, Callable[[Unit], None]] = {
            Action.CREATE: self.create,
            Action.REPLACE: self.create,
            Action.RECONFIGURE: self.start,
            Action.START: self.start,
        }
        without: dict[Action, Callable[[str], None]] = {
            Action.STOP: self.stop,
            Action.REMOVE: self.remove,
            Action.DISCARD: self.discard,
            Action.DISMANTLE: self.dismantle,
        }
        if change.action in with_unit and unit:
            with_unit[change.action](unit)
        else:
            without[change.action](change.unit)

    def create(self, unit: Unit) -> None:
        """Make a unit's machine; whatever was there for the unit goes first, volumes apart."""
        self._remove_machine(unit.name)
        folder = self._names.machine(unit.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        public_key = ssh.make_key(self.key)
        with self._guard:
            libvirt.have_pool()
            libvirt.have_network(self._names.network, self._names.addresses)
        assert isinstance(unit.source, Build)
        values = vagrantfile.context(
            self._names,
            {unit.name: unit},
            {unit.name: self._boxes.name(unit.source)},
            key=str(self.key),
            public_key=public_key,
        )
        text = self._context.render("vagrant/Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")
        Vagrant(folder).up()
        self._settle(unit)

    def start(self, unit: Unit) -> None:
        """Have the machine running and its service as the spec wants it now."""
        domain = self._domain(unit.name)
        if domain is None:
            self.create(unit)
            return
        if not domain.running:
            self.machine(unit.name).disconnect()
            folder = self._names.machine(unit.name)
            if (folder / "Vagrantfile").exists():
                Vagrant(folder).up()
            else:
                libvirt.virsh("start", domain.name)
        self._settle(unit)

    def stop(self, unit: str) -> None:
        """Shut a machine down; it stays."""
        domain = self._domain(unit)
        if domain is None or not domain.running:
            return
        machine = self.machine(unit)
        with suppress(EnvctlError):
            machine.run("sync; systemctl poweroff --no-block", timeout=20)
        machine.disconnect()
        libvirt.wait_until_off(domain.name)

    def remove(self, unit: str) -> None:
        """Remove a machine; its volumes stay."""
        self._remove_machine(unit)
        self._spread()

    def discard(self, volume: str) -> None:
        """Delete a volume's disk."""
        libvirt.remove_disks([self._names.disk(volume)])

    def dismantle(self, _unit: str = "") -> None:
        """Remove the network and the environment's folder."""
        libvirt.remove_network(self._names.network)
        shutil.rmtree(self._names.folder, ignore_errors=True)
        with suppress(OSError):
            self._names.folder.parent.rmdir()

    def machine(self, unit: str) -> ssh.Machine:
        """How to reach a unit's machine."""
        folder = self._names.machine(unit)
        address = libvirt.address(self._names.domain(unit))
        return ssh.Machine(unit, self.key, folder / "known_hosts", address)

    @property
    def key(self) -> Any:
        """The private key of the environment's machines."""
        return self._names.folder / "key"

    # --- parts

    def _domain(self, unit: str) -> libvirt.Domain | None:
        name = self._names.domain(unit)
        return libvirt.domains(name).get(name)

    def _remove_machine(self, unit: str) -> None:
        folder = self._names.machine(unit)
        self.machine(unit).disconnect()
        if (folder / "Vagrantfile").exists() and (folder / ".vagrant").is_dir():
            # What it cannot remove, for whatever reason, goes below.
            with suppress(EnvctlError):
                Vagrant(folder).destroy()
        libvirt.undefine(self._names.domain(unit))
        shutil.rmtree(folder, ignore_errors=True)

    def _settle(self, unit: Unit) -> None:
        """Give a running machine its service, secrets and ports, and note what it is for."""
        machine = self.machine(unit.name)
        secrets = {one.name: self._context.secret(one.name) for one in unit.run.secrets}
        machine.run(guest.settle(unit), data=guest.archive(unit, secrets))
        self._forward(unit, machine)
        source = unit.source
        libvirt.stamp(
            self._names.domain(unit.name),
            {
                "service": unit.service,
                "replica": unit.replica,
                "build": source.digest if isinstance(source, Build) else "",
                "run": run_text(unit.run),
                "aliases": sorted({unit.name, unit.service, *unit.run.aliases}),
            },
        )
        self._spread()

    def _forward(self, unit: Unit, machine: ssh.Machine) -> None:
        """Have the unit's ports on this host: those of before go, with the connection."""
        note = self._names.machine(unit.name) / PORTS
        before: Mapping[str, int] = {}
        with suppress(OSError, ValueError):
            before = json.loads(note.read_text("utf-8"))
        if before or unit.run.ports:
            machine.disconnect()
            machine.connect()
        addresses: dict[str, int] = {}
        for port in unit.run.ports:
            key = f"{port.address}/{port.container}"
            chosen = port.host or before.get(key) or ssh.free_port(port.address)
            machine.forward(port.address, chosen, port.container)
            addresses[key] = chosen
        note.write_text(json.dumps(addresses), "utf-8")

    def _spread(self) -> None:
        """Tell every running machine of the environment the names and addresses of all."""
        with self._guard:
            found = libvirt.domains(f"{self._names.prefix}_")
            table: dict[str, list[str]] = {}
            units: list[str] = []
            for name, domain in found.items():
                unit = self._names.unit(name)
                if unit is None or not domain.running or domain.stamp is None:
                    continue
                units.append(unit)
                if where := libvirt.address(name):
                    table[where] = list(domain.stamp["aliases"])
            text = guest.hosts(table).encode()
            for unit in units:
                with suppress(EnvctlError):
                    self.machine(unit).run("cat > /etc/hosts", data=text, timeout=20)
