"""One change made to machines. Each may have been cut off in the middle before and converges.

A machine is stamped, at libvirt, with what its units were made for, each when it is settled: one without a
stamp is what an interrupted run left, and is made anew.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.vagrant import (
    container,
    exit_records,
    guest_setup,
    layout,
    libvirt,
    machine_health,
    machine_index,
    machine_stamp,
    own_volumes,
    port_forwards,
    process_states,
    ssh,
    vagrantfile,
)
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.domain import CRASHED, RUNNING, Domain
from envctl.backends.vagrant.machines import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.backends.vagrant.unit_paths import UnitPaths
from envctl.backends.vagrant.vagrant_cli import Vagrant
from envctl.errors import EnvctlError
from envctl.host.private_state import private_folder
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.image_volumes import with_volumes
from envctl.plan.model import Build, Kind, ReadyImage, Unit, Volume
from envctl.plan.state import Status

_LIST_RUNNING: Final = "systemctl list-units --plain --no-legend --state=running,start,auto-restart 'envctl-*.service' | grep -v @"
"""Prints the units' services that run; those that send their output to the journal go on."""
_STOP_ALL: Final = "systemctl stop 'envctl-*.service'; sync"
"""What a machine does before it is gone: processes end in order, and volumes have all that was written."""
_PATIENCE: Final = 20.0
"""Seconds that a machine which is to be removed is waited for, if it does not answer."""
_POWER_OFF: Final = "sync; systemctl poweroff --no-block"


class Lifecycle:
    """Makes, starts, stops and removes the machines of one environment, and what they share."""

    def __init__(
        self, context: Context, names: MachineNames, machines: Machines, boxes: Boxes
    ) -> None:
        self._context = context
        self._names = names
        self._machines = machines
        self._boxes = boxes
        self._guard = Lock()
        self._locks: dict[str, Lock] = defaultdict(Lock)
        self._new_machines: set[str] = set()
        """Machines made in this run: whole, though no unit may be settled in them yet."""
        self._new_volumes: set[str] = set()
        """Volumes made in this run."""

    def apply(self, change: Change) -> None:
        """Do a change of a unit, a volume, or of what the environment shares."""
        with_unit: Mapping[Action, Callable[[Unit], None]] = {
            Action.CREATE: self._create,
            Action.REPLACE: self._create,
            Action.RECONFIGURE: partial(self._start, new_run=True),
            Action.START: self._start,
        }
        without: Mapping[Action, Callable[[str], None]] = {
            Action.STOP: self._stop,
            Action.REMOVE: self._remove,
            Action.DISCARD: self._delete_volume,
            Action.DISMANTLE: self._tear_down,
        }
        if change.action in with_unit and isinstance(change.target, Unit):
            unit = change.target
            with self._locks[layout.machine_of(unit).name]:
                with_unit[change.action](unit)
        else:
            without[change.action](change.unit)

    # --- units

    def _create(self, unit: Unit) -> None:
        """Have a unit in a machine as it wants it; volumes are never touched."""
        machine = layout.machine_of(unit)
        domain = self._domain(machine.name)
        fresh = machine.name in self._new_machines
        if domain is None or not (fresh or self._is_usable(machine, domain, unit)):
            self._make(machine, unit)
            self._new_machines.add(machine.name)
        self._set_up(unit, self._running(machine.name))

    def _is_usable(self, machine: layout.DesiredMachine, domain: Domain, unit: Unit) -> bool:
        """Whether a machine there is as it should be and is only short of this unit, or of its new settings."""
        source_id = (
            self._boxes.store.source_id(self._boxes.store.name(machine.source))
            if isinstance(machine.source, Build)
            else ""
        )
        return (
            layout.is_shared(unit)
            and domain.machine_digest == machine.digest
            and domain.source_id == source_id
        )

    def _start(self, unit: Unit, *, new_run: bool = False) -> None:
        """Have the machine running and the unit's service as the spec wants it now."""
        name = layout.machine_of(unit).name
        if self._domain(name) is None:
            self._create(unit)
            return
        domain = self._repaired(unit, self._running(name))
        if not self._runs_as_planned(unit, domain):
            self._set_up(unit, domain, new_run=new_run)

    def _repaired(self, unit: Unit, domain: Domain) -> Domain:
        """The unit's machine with its clock, way out, names and mounts as they should be.

        What is mounted of this host is what it was when the machine was started: for another it is started anew.
        """
        machine, mounts = self._machines.ssh_machine(domain), layout.machine_of(unit).mounts
        try:
            health = machine_health.check(machine, mounts)
        except EnvctlError:
            # What cannot be told is told when it is observed; it hinders no start.
            return domain
        domains = libvirt.domains(f"{self._names.prefix}_")
        now = domains.get(domain.name, domain)
        names = machine_health.names_inside(now, machine_health.names_by_address(domains.values()))
        if any(machine_health.outdated_mounts(health, mounts)):
            self._shut_down(now, machine)
            return self._running(self._names.unit(domain.name) or unit.name)
        if any(machine_health.drift(health, mounts, names)):
            machine_health.repair(machine, health, f"{self._names.addresses}.1")
            self._spread_names()
        return domain

    def _runs_as_planned(self, unit: Unit, domain: Domain) -> bool:
        """Whether the unit runs as it should, or has completed; ports that were lost are given back."""
        note = domain.units.get(unit.name)
        if note is None or note["run"] != run_text(unit.run):
            return False
        machine = self._machines.ssh_machine(domain)
        known = process_states.of_units(machine, {unit.name: note})[unit.name]
        completed = known.status is Status.EXITED and known.exit_code == 0
        if unit.kind is Kind.TASK and completed:
            return True
        if known.status is not Status.RUNNING:
            return False
        lost = port_forwards.missing(note["ports"], machine)
        port_forwards.add({key: note["ports"][key] for key in lost}, machine, unit)
        return True

    def _stop(self, unit: str) -> None:
        """Stop a unit; machines in which nothing runs any more are shut down, and stay."""
        for domain in libvirt.domains(f"{self._names.prefix}_").values():
            if not (unit in domain.units or _has_only_tasks(domain)):
                continue
            with self._locks[self._names.unit(domain.name) or ""]:
                current = libvirt.domain(domain.name)
                if current is None or current.off or current.state == CRASHED:
                    # Another thread has shut it down meanwhile.
                    continue
                current = self._resumed(current)
                machine = self._machines.ssh_machine(current)
                script = f"{guest_setup.stop_script(unit, current.units)}{_LIST_RUNNING}; {exit_records.query_script([unit])}"
                *active, record_line = machine.run(script).splitlines()
                stamp = current.stamp or {}
                if unit in current.units:
                    # Another unit may be about to take them.
                    port_forwards.remove(current.units[unit]["ports"], machine)
                    text = exit_records.parse_records(record_line)[unit].text
                    stamp = machine_stamp.with_unit(stamp, unit, stopped=text)
                    libvirt.stamp(current.name, stamp)
                if not active:
                    self._shut_down(replace(current, stamp=stamp), machine)

    def note_hook(self, unit: str, hook: str) -> None:
        """Note that a hook has run."""
        domain = self._machines.domain_of(unit)
        assert domain is not None  # it ran there a moment ago
        with self._locks[self._names.unit(domain.name) or ""]:
            now = libvirt.domain(domain.name)
            if now is not None and unit in now.units:
                hooks = [*now.units[unit].get("hooks", ()), hook]
                libvirt.stamp(now.name, machine_stamp.with_unit(now.stamp or {}, unit, hooks=hooks))

    def _shut_down(self, domain: Domain, machine: ssh.Machine) -> None:
        """Power a machine off, with a note of how its tasks ended: it cannot be asked any more."""
        tasks = [name for name, unit in domain.units.items() if machine_stamp.is_task(unit)]
        if tasks:
            services = machine.services([UnitPaths(name).service for name in tasks])
            ended = {name: services[UnitPaths(name).service].state[1] for name in tasks}
            units = {
                name: {**unit, "ended": ended[name]} if name in ended else unit
                for name, unit in domain.units.items()
            }
            libvirt.stamp(domain.name, {**(domain.stamp or {}), "units": units})
        with suppress(EnvctlError):
            machine.run(_POWER_OFF, timeout=20)
        machine.disconnect()
        libvirt.wait_until_off(domain.name)

    def _remove(self, unit: str) -> None:
        """Remove a unit, and the machine that has no other; its volumes stay."""
        domain = self._machines.domain_of(unit)
        name = self._names.unit(domain.name) if domain else None
        with self._locks[name or unit]:
            # Another thread may have taken another unit out meanwhile.
            domain = self._machines.domain_of(unit)
            others = (
                {key: note for key, note in domain.units.items() if key != unit} if domain else {}
            )
            if domain is None or not others:
                self._remove_machine(name or unit)
            else:
                stamp = {**(domain.stamp or {}), "units": others}
                if (domain.running or domain.paused) and not self._taken_out(unit, domain):
                    # It has the unit still, and cannot be asked to let go of it: it is good for no other any more.
                    stamp["made_for"] = ""
                libvirt.stamp(domain.name, stamp)
        self._spread_names()

    def _taken_out(self, unit: str, domain: Domain) -> bool:
        """Have a unit's things gone from a machine that it shares; whether that could be done."""
        machine = self._machines.ssh_machine(self._resumed(domain))
        try:
            machine.connect(patience=_PATIENCE)
        except EnvctlError:
            return False
        port_forwards.remove(domain.units[unit]["ports"], machine)
        machine.run(guest_setup.remove_script(UnitPaths(unit, shared=True)))
        return True

    def _delete_volume(self, volume: str) -> None:
        """Delete a volume's disk."""
        libvirt.remove_disks([self._names.disk(volume)])

    def _tear_down(self, _unit: str = "") -> None:
        """Remove machines that are no unit's, the network and the environment's folder."""
        for name in libvirt.domains(f"{self._names.prefix}_"):
            self._remove_machine(self._names.unit(name) or name)
        libvirt.remove_network(self._names.network)
        shutil.rmtree(self._names.folder, ignore_errors=True)
        with suppress(OSError):
            self._names.folder.parent.rmdir()

    # --- machines

    def _domain(self, machine: str) -> Domain | None:
        return libvirt.domain(self._names.domain(machine))

    def _make(self, machine: layout.DesiredMachine, unit: Unit) -> None:
        """Make a machine; whatever was there in its name goes first, volumes apart."""
        earlier = self._domain(machine.name)
        self._remove_machine(machine.name)
        folder = private_folder(
            Path(self._names.scope.root), "vagrant", self._names.scope.environment, machine.name
        )
        with self._guard:
            public_key = ssh.make_key(self._machines.key)
            libvirt.ensure_pool()
            libvirt.ensure_network(self._names.network, self._names.addresses)
        box = self._boxes.box_of(unit.name, machine.source)
        self._boxes.store.stock(box)
        image_volumes: tuple[Volume, ...] = ()
        if not layout.is_shared(unit):
            image_volumes = own_volumes.of_box(
                unit, box, store=self._boxes.store, context=self._context
            )
        digest, machine = machine.digest, own_volumes.with_disks(machine, unit, image_volumes)
        self._note_new(machine, earlier=earlier)
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
        domain = self._domain(machine.name)
        assert domain is not None  # Vagrant has just made it
        self._machines.ssh_machine(domain).wait_for_boot()
        libvirt.stamp(
            self._names.domain(machine.name),
            {
                "made_for": digest,
                "made_of": self._boxes.store.source_id(box),
                "scope": asdict(self._names.scope),
                own_volumes.KEY: own_volumes.to_stamp(image_volumes),
                "units": {},
            },
        )

    def _note_new(self, machine: layout.DesiredMachine, *, earlier: Domain | None) -> None:
        """Note which disks of the machine are to be somebody's: new ones, and those that an interrupted run began."""
        disks = libvirt.disks()
        cut_off = earlier is not None and not earlier.units
        self._new_volumes |= {
            volume.name
            for volume in machine.volumes
            if cut_off or self._names.disk(volume.name) not in disks
        }

    def _owners(self, unit: Unit) -> Mapping[str, str]:
        """By path, whose the unit's new volumes are to be."""
        return {
            volume.target: volume.new.owner
            for volume in unit.run.volumes
            if volume.new
            and volume.new.owner
            and volume.new.unit == unit.name
            and volume.name in self._new_volumes
        }

    def _running(self, machine: str) -> Domain:
        """The machine, resumed if it is paused, started if it is off."""
        domain = self._domain(machine)
        assert domain is not None  # it is there: it was made, or seen, a moment ago
        if domain.running or domain.paused:
            return self._resumed(domain)
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
        started = replace(domain, state=RUNNING, stamp=_without_address(domain))
        if domain.stamp is not None:
            reached = self._machines.ssh_machine(started)
            reached.wait_for_boot()
            if reached.address != domain.address:
                libvirt.stamp(domain.name, {**domain.stamp, "address": reached.address})
        # What was told the names of others while this one was off does not know its units any more.
        self._spread_names()
        return started

    def _resumed(self, domain: Domain) -> Domain:
        """A machine that runs; one that is paused goes on first."""
        if not domain.paused:
            return domain
        libvirt.resume(domain)
        return replace(domain, state=RUNNING, reason="")

    def _remove_machine(self, name: str) -> None:
        folder = self._names.machine(name)
        domain = self._domain(name)
        if domain is not None and domain.units and (domain.running or domain.paused):
            # One that does not answer any more is removed all the same; one that is paused may have data in its
            # memory that its volumes do not have yet.
            with suppress(EnvctlError):
                machine = self._machines.ssh_machine(self._resumed(domain))
                machine.run(_STOP_ALL, timeout=3 * guest_setup.STOP_TIMEOUT, patience=_PATIENCE)
        ssh.Machine(name, self._machines.key, folder / "known_hosts", "").disconnect()
        libvirt.undefine(self._names.domain(name))
        if folder.is_symlink():
            # Whatever it leads to is not ours.
            folder.unlink()
        elif folder.exists():
            machine_index.forget(folder)
            shutil.rmtree(folder, ignore_errors=True)

    # --- what a running machine is told

    def _set_up(self, unit: Unit, domain: Domain, *, new_run: bool = True) -> None:
        """Give a unit its service, secrets and ports in a running machine, and note what it is for; see guest_setup.setup_script."""
        machine = self._machines.ssh_machine(domain)
        paths = UnitPaths(unit.name, layout.is_shared(unit))
        domain = self._without_events(domain, unit.name)
        secrets = {secret.name: self._context.secret(secret.name) for secret in unit.run.secrets}
        timeout = container.TIMEOUT if container.runs_in_container(unit) else ssh.TIMEOUT
        image_volumes = own_volumes.from_stamp(domain)
        unit_with_volumes = (
            with_volumes(unit, image_volumes) if container.runs_in_container(unit) else unit
        )
        machine.run(
            guest_setup.chown_script(self._owners(unit))
            + guest_setup.setup_script(unit_with_volumes, paths, new_run=new_run),
            data=guest_setup.archive(unit_with_volumes, paths, secrets),
            timeout=timeout,
        )
        former_ports = domain.units.get(unit.name, {}).get("ports", {})
        port_forwards.remove(former_ports, machine)
        ports = port_forwards.choose_ports(unit.run.ports, former_ports)
        port_forwards.add(ports, machine, unit)
        source = unit.source
        note = {
            "service": unit.service,
            "replica": unit.replica,
            "build": "" if isinstance(source, ReadyImage) else source.digest,
            "image": source.image if isinstance(source, ReadyImage) else "",
            "run": run_text(unit.run),
            "shared": paths.shared,
            "contained": container.runs_in_container(unit),
            "aliases": sorted({unit.name, unit.service, *unit.run.aliases}),
            "ports": ports,
        }
        stamp = {
            "made_for": layout.machine_of(unit).digest,
            "made_of": domain.source_id,
            "address": machine.address,
            "scope": asdict(self._names.scope),
            own_volumes.KEY: own_volumes.to_stamp(image_volumes),
            "units": {**domain.units, unit.name: note},
        }
        libvirt.stamp(domain.name, stamp)
        self._spread_names()

    def _without_events(self, domain: Domain, unit: str) -> Domain:
        """A domain without notes of what happened to a unit since it was started last: it is started anew."""
        if not any(
            unit in domain.units and key in domain.units[unit] for key in machine_stamp.EVENTS
        ):
            return domain
        stamp = machine_stamp.without_events(domain.stamp or {}, unit)
        libvirt.stamp(domain.name, stamp)
        return replace(domain, stamp=stamp)

    def _spread_names(self) -> None:
        """Tell every running machine of the environment the names and addresses of all."""
        with self._guard:
            domains = libvirt.domains(f"{self._names.prefix}_").values()
            names = machine_health.names_by_address(domains)
            for domain in domains:
                if domain.address not in names:
                    continue
                inside = machine_health.names_inside(domain, names)
                with suppress(EnvctlError):
                    text = guest_setup.hosts_file(inside).encode()
                    self._machines.ssh_machine(domain).run(
                        "cat > /etc/hosts", data=text, timeout=20
                    )


def _without_address(domain: Domain) -> Mapping[str, Any] | None:
    """The stamp without an address, which may be another after a start."""
    if domain.stamp is None:
        return None
    return {key: value for key, value in domain.stamp.items() if key != "address"}


def _has_only_tasks(domain: Domain) -> bool:
    """Whether the machine has tasks only."""
    return bool(domain.units) and all(machine_stamp.is_task(unit) for unit in domain.units.values())
