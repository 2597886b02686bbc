"""Creates, starts, shuts down and removes whole machines, and writes the names of all units into each.

lifecycle.py decides which units a machine has.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.vagrant import layout, libvirt, vagrant_cli
from envctl.backends.vagrant.box.boxes import Boxes
from envctl.backends.vagrant.machine import (
    anonymous_volumes,
    machine_health,
    machine_stamp,
    vagrantfile,
)
from envctl.backends.vagrant.machine.domain import CRASHED, OFF, RUNNING, Domain
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.backends.vagrant.ssh import ssh_key
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit import guest_setup
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.private_state import private_folder
from envctl.plan.model import Unit, Volume

REMOVAL_PATIENCE: Final = 20.0
"""How many seconds to wait for a machine that must be removed and does not answer."""
_STOP_ALL: Final = "systemctl stop 'envctl-*.service'; sync"
"""Runs before a machine is removed, so that processes end in order and all data is written to volumes."""
_POWER_OFF: Final = "sync; systemctl poweroff --no-block"


class MachineControl:
    """The machines of one environment as a whole."""

    def __init__(
        self, context: Context, names: MachineNames, machines: Machines, boxes: Boxes
    ) -> None:
        self._context = context
        self._names = names
        self._machines = machines
        self._boxes = boxes
        self._shared_lock = Lock()
        """Held while the key, the network, or the hosts files of all machines are written."""
        self._new_machines: set[str] = set()
        """Machines created in this run. They are usable, though no unit may be set up in them yet."""
        self._new_volumes: set[str] = set()
        """Volumes created in this run."""

    def domain(self, machine: str) -> Domain | None:
        """The machine, if it exists."""
        return libvirt.domain(self._names.domain(machine))

    def is_new(self, machine: str) -> bool:
        """Whether the machine was created in this run."""
        return machine in self._new_machines

    # --- creating

    def make(self, machine: layout.DesiredMachine, unit: Unit) -> None:
        """Create a machine. An earlier machine of its name is removed first; volumes stay."""
        earlier = self.domain(machine.name)
        self.remove(machine.name)
        folder = private_folder(
            Path(self._names.scope.root), "vagrant", self._names.scope.environment, machine.name
        )
        with self._shared_lock:
            public_key = ssh_key.make_key(self._machines.key)
            libvirt.ensure_pool()
            libvirt.ensure_network(self._names.network, self._names.addresses)
        box = self._boxes.box_of(unit.name, machine.source)
        self._boxes.store.stock(box)
        image_volumes: tuple[Volume, ...] = ()
        if not layout.is_shared(unit):
            image_volumes = anonymous_volumes.of_box(
                unit, box, store=self._boxes.store, context=self._context
            )
        with_disks = anonymous_volumes.with_disks(machine, unit, image_volumes)
        self._note_new_volumes(with_disks, earlier=earlier)
        self._boot(with_disks, box, folder, public_key=public_key)
        libvirt.stamp(
            self._names.domain(machine.name),
            {
                "made_for": machine.digest,
                "made_of": self._boxes.store.source_id(box),
                "scope": asdict(self._names.scope),
                anonymous_volumes.KEY: anonymous_volumes.to_stamp(image_volumes),
                "units": {},
            },
        )
        self._new_machines.add(machine.name)

    def _boot(
        self, machine: layout.DesiredMachine, box: str, folder: Path, *, public_key: str
    ) -> None:
        """Let Vagrant define and start a machine, and wait until it answers."""
        values = vagrantfile.context(
            self._names,
            {machine.name: machine},
            {machine.name: box},
            key=str(self._machines.key),
            public_key=public_key,
        )
        text = self._context.render("vagrant/Vagrantfile.j2", values)
        (folder / "Vagrantfile").write_text(text, "utf-8")
        Vagrant(folder).up()
        domain = self.domain(machine.name)
        assert domain is not None  # Vagrant has just created it
        self._machines.ssh_machine(domain).wait_for_boot()

    def _note_new_volumes(self, machine: layout.DesiredMachine, *, earlier: Domain | None) -> None:
        """Record which of the machine's disks need an owner: new ones, and those of an interrupted run."""
        disks = libvirt.disks()
        interrupted = earlier is not None and not earlier.units
        self._new_volumes |= {
            volume.name
            for volume in machine.volumes
            if interrupted or self._names.disk(volume.name) not in disks
        }

    def owners(self, unit: Unit) -> Mapping[str, str]:
        """By path, the owners of the volumes that were created for the unit in this run."""
        return {
            volume.target: volume.new.owner
            for volume in unit.run.volumes
            if volume.new
            and volume.new.owner
            and volume.new.unit == unit.name
            and volume.name in self._new_volumes
        }

    # --- power

    def running(self, machine: str) -> Domain:
        """The machine, which is resumed if it is paused, and started if it is off."""
        domain = self.domain(machine)
        assert domain is not None  # it was created or found just before
        if domain.shutting_down:
            self._power_off(domain, self._machines.ssh_machine(domain))
            domain = replace(domain, state=OFF)
        if domain.running or domain.paused:
            return self.resumed(domain)
        self._machines.ssh_machine(domain).disconnect()
        if domain.state == CRASHED:
            libvirt.virsh("destroy", domain.name)
        elif not domain.off:
            libvirt.wait_until_off(domain.name)
        folder = self._names.machine(machine)
        if (folder / "Vagrantfile").exists():
            Vagrant(folder).up()
        else:
            libvirt.virsh("start", domain.name)
        started = replace(domain, state=RUNNING, stamp=_stamp_at_start(domain))
        if started.stamp is not None:
            connection = self._machines.ssh_machine(started)
            connection.wait_for_boot()
            stamp = {**started.stamp, "address": connection.address}
            if stamp != domain.stamp:
                libvirt.stamp(domain.name, stamp)
        # While this machine was off, the names written to other machines did not include its units.
        self.spread_names()
        return started

    def resumed(self, domain: Domain) -> Domain:
        """The machine, resumed if it is paused."""
        if not domain.paused:
            return domain
        libvirt.resume(domain)
        return replace(domain, state=RUNNING, reason="")

    def shut_down(self, domain: Domain, machine: SshMachine) -> None:
        """Power a machine off. First record how its tasks ended, because it cannot be asked afterwards.

        Also record the shutdown itself, because it continues if this command is killed.
        """
        units: Mapping[str, Mapping[str, Any]] = domain.units
        tasks = [name for name, unit in domain.units.items() if machine_stamp.is_task(unit)]
        if tasks:
            services = machine.services([UnitPaths(name).service for name in tasks])
            exit_codes = {name: services[UnitPaths(name).service].state[1] for name in tasks}
            units = {
                name: {**unit, "ended": exit_codes[name]} if name in exit_codes else unit
                for name, unit in domain.units.items()
            }
        if domain.stamp is not None:
            stamp = {**domain.stamp, "units": units, machine_stamp.SHUTTING_DOWN: True}
            libvirt.stamp(domain.name, stamp)
        self._power_off(domain, machine)

    def _power_off(self, domain: Domain, machine: SshMachine) -> None:
        with suppress(EnvctlError):
            machine.run(_POWER_OFF, timeout=20)
        machine.disconnect()
        libvirt.wait_until_off(domain.name)

    # --- removing

    def remove(self, machine: str) -> None:
        """Remove a machine, if it exists; its volumes stay."""
        folder = self._names.machine(machine)
        domain = self.domain(machine)
        in_use = domain is not None and bool(domain.units or domain.one_offs)
        if domain is not None and in_use and (domain.running or domain.paused):
            # Remove a machine even if it does not answer. But resume a paused one first, because its memory may contain
            # data that is not in its volumes yet.
            with suppress(EnvctlError):
                connection = self._machines.ssh_machine(self.resumed(domain))
                connection.run(
                    _STOP_ALL, timeout=3 * guest_setup.STOP_TIMEOUT, patience=REMOVAL_PATIENCE
                )
        SshMachine(machine, self._machines.key, folder / "known_hosts", "").disconnect()
        libvirt.undefine(self._names.domain(machine))
        if folder.is_symlink():
            # The link's target does not belong to envctl.
            folder.unlink()
        elif folder.exists():
            vagrant_cli.forget(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def tear_down(self) -> None:
        """Remove all machines, the network and the environment's folder; volumes stay."""
        for name in libvirt.domains(f"{self._names.prefix}_"):
            self.remove(self._names.unit(name) or name)
        libvirt.remove_network(self._names.network)
        shutil.rmtree(self._names.folder, ignore_errors=True)
        with suppress(OSError):
            self._names.folder.parent.rmdir()

    # --- names

    def spread_names(self) -> None:
        """Write the names and addresses of all units into every running machine."""
        with self._shared_lock:
            domains = libvirt.domains(f"{self._names.prefix}_").values()
            names = machine_health.names_by_address(domains)
            for domain in domains:
                if domain.address not in names:
                    continue
                inside = machine_health.names_inside(domain, names)
                with suppress(EnvctlError):
                    text = guest_setup.hosts_file(inside).encode()
                    connection = self._machines.ssh_machine(domain)
                    connection.run("cat > /etc/hosts", data=text, timeout=20)


def _stamp_at_start(domain: Domain) -> Mapping[str, Any] | None:
    """The stamp without the events that the start ends, and without the address, which may change."""
    if domain.stamp is None:
        return None
    ended = ("address", machine_stamp.SHUTTING_DOWN, machine_stamp.ONE_OFFS)
    return {key: value for key, value in domain.stamp.items() if key not in ended}
