"""Applies one change to a unit and its machine.

A run may be killed in the middle of a change; applying the change again converges. For that purpose, a machine's stamp
in libvirt records what each unit was set up for, as soon as the setup is complete. A machine without a stamp was left
by an interrupted run, and is created again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from threading import Lock
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.common.mount_points import make_mount_points
from envctl.backends.vagrant import layout, libvirt
from envctl.backends.vagrant.box.boxes import Boxes
from envctl.backends.vagrant.machine import anonymous_volumes, machine_health, machine_stamp
from envctl.backends.vagrant.machine.domain import CRASHED, Domain
from envctl.backends.vagrant.machine.machine_control import REMOVAL_PATIENCE, MachineControl
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import MachineNames
from envctl.backends.vagrant.ssh import port_forwards, ssh_machine
from envctl.backends.vagrant.unit import container, exit_records, guest_setup, process_states
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.image_volumes import with_volumes
from envctl.plan.model import Kind, ReadyImage, Unit
from envctl.plan.state import Status

LIST_RUNNING: Final = "systemctl list-units --plain --no-legend --state=running,start,auto-restart 'envctl-*.service' | grep -v @"
"""Prints the running services of units, without the services that send their output to the journal."""


class UnitLifecycle:
    """Creates, starts, stops and removes the units of one environment."""

    def __init__(
        self, context: Context, names: MachineNames, machines: Machines, boxes: Boxes
    ) -> None:
        self._context = context
        self._names = names
        self._machines = machines
        self._boxes = boxes
        self.control = MachineControl(context, names, machines, boxes)
        self._locks: dict[str, Lock] = defaultdict(Lock)
        """By machine, because changes of units in the same machine come from several threads."""

    def apply(self, change: Change) -> None:
        """Apply a change of a unit, a volume, or a shared resource of the environment."""
        with_unit: Mapping[Action, Callable[[Unit], None]] = {
            Action.CREATE: self._create,
            Action.REPLACE: self._create,
            Action.RECONFIGURE: partial(self._start, new_run=True),
            Action.START: self._start,
            Action.RESTART: partial(self._start, restart=True),
        }
        without: Mapping[Action, Callable[[str], None]] = {
            Action.STOP: self._stop,
            Action.REMOVE: self._remove,
            Action.DELETE_VOLUME: self._delete_volume,
            Action.TEAR_DOWN: lambda _: self.control.tear_down(),
        }
        if change.action in with_unit and isinstance(change.target, Unit):
            unit = change.target
            with self._locks[layout.machine_of(unit).name]:
                with_unit[change.action](unit)
        else:
            without[change.action](change.unit)

    # --- creating and starting

    def _create(self, unit: Unit) -> None:
        """Set a unit up in the machine that it needs."""
        self._set_up(unit, self.machine_for(unit))

    def machine_for(self, unit: Unit) -> Domain:
        """The running machine that a unit needs. Replaces the machine if it differs; volumes stay."""
        make_mount_points(unit.run)
        machine = layout.machine_of(unit)
        domain = self.control.domain(machine.name)
        is_new = self.control.is_new(machine.name)
        if domain is None or not (is_new or self.is_usable(domain, unit)):
            self.control.make(machine, unit)
        return self.control.running(machine.name)

    def is_usable(self, domain: Domain, unit: Unit) -> bool:
        """Whether a machine is as planned, and only this unit or its new settings are missing."""
        machine = layout.machine_of(unit)
        for_one_offs = bool(domain.one_offs) and not domain.units
        if not (layout.is_shared(unit) or for_one_offs) or domain.machine_digest != machine.digest:
            return False
        box = self._boxes.box_of(unit.name, machine.source)
        return domain.source_id == self._boxes.store.source_id(box)

    def _start(self, unit: Unit, *, new_run: bool = False, restart: bool = False) -> None:
        """Start the unit in its machine unless it already runs as planned; with `restart`, always."""
        name = layout.machine_of(unit).name
        if self.control.domain(name) is None:
            self._create(unit)
            return
        domain = self._repaired(unit, self.control.running(name))
        if restart or not self._runs_as_planned(unit, domain):
            self._set_up(unit, domain, new_run=new_run)

    def _repaired(self, unit: Unit, domain: Domain) -> Domain:
        """The unit's machine, after repairing its clock, default route, names and mounts.

        A mount shows the host's folder as it was when the machine started. To mount another folder, the machine
        restarts.
        """
        machine, mounts = self._machines.ssh_machine(domain), layout.machine_of(unit).mounts
        try:
            health = machine_health.check(machine, mounts)
        except EnvctlError:
            # `observe` reports what cannot be checked, so the start continues.
            return domain
        domains = libvirt.domains(f"{self._names.prefix}_")
        current = domains.get(domain.name, domain)
        names = machine_health.names_inside(
            current, machine_health.names_by_address(domains.values())
        )
        if any(machine_health.outdated_mounts(health, mounts)):
            self.control.shut_down(current, machine)
            return self.control.running(self._names.unit(domain.name) or unit.name)
        if any(machine_health.drift(health, mounts, names)):
            machine_health.repair(machine, health, f"{self._names.addresses}.1")
            self.control.spread_names()
        return domain

    def _runs_as_planned(self, unit: Unit, domain: Domain) -> bool:
        """Whether the unit runs as planned, or has completed. Adds missing port forwards."""
        note = domain.units.get(unit.name)
        if note is None or note["run"] != run_text(unit.run):
            return False
        machine = self._machines.ssh_machine(domain)
        process = process_states.of_units(machine, {unit.name: note})[unit.name]
        completed = process.status is Status.EXITED and process.exit_code == 0
        if unit.kind is Kind.TASK and completed:
            return True
        if process.status is not Status.RUNNING:
            return False
        missing = port_forwards.missing(note["ports"], machine)
        port_forwards.add({key: note["ports"][key] for key in missing}, machine, unit)
        return True

    # --- stopping and removing

    def _stop(self, unit: str) -> None:
        """Stop a unit. Machines without running units are shut down, but not removed."""
        for domain in libvirt.domains(f"{self._names.prefix}_").values():
            if not (unit in domain.units or _has_only_tasks(domain)):
                continue
            with self._locks[self._names.unit(domain.name) or ""]:
                current = libvirt.domain(domain.name)
                if current is None or current.off or current.state == CRASHED:
                    # Another thread has shut the machine down meanwhile.
                    continue
                current = self.control.resumed(current)
                machine = self._machines.ssh_machine(current)
                script = (
                    f"{guest_setup.stop_script(unit, current.units)}{LIST_RUNNING};"
                    f" {exit_records.query_script([unit])}"
                )
                *active, record_line = machine.run(script).splitlines()
                stamp = current.stamp or {}
                if unit in current.units:
                    # Another unit may need these ports next.
                    port_forwards.remove(current.units[unit]["ports"], machine)
                    record = exit_records.parse_records(record_line)[unit].text
                    stamp = machine_stamp.with_unit(stamp, unit, stopped=record)
                    libvirt.stamp(current.name, stamp)
                if not active:
                    self.control.shut_down(replace(current, stamp=stamp), machine)

    def _remove(self, unit: str) -> None:
        """Remove a unit, and its machine if no other unit uses it; volumes stay."""
        domain = self._machines.domain_of(unit)
        name = self._names.unit(domain.name) if domain else None
        with self._locks[name or unit]:
            # Another thread may have removed another unit of this machine meanwhile.
            domain = self._machines.domain_of(unit)
            others = (
                {key: note for key, note in domain.units.items() if key != unit} if domain else {}
            )
            if domain is None or not others:
                self.control.remove(name or unit)
            else:
                stamp = {**(domain.stamp or {}), "units": others}
                if (domain.running or domain.paused) and not self._taken_out(unit, domain):
                    # The unit could not be removed from the machine. Without a digest, no other unit will join this
                    # machine.
                    stamp["made_for"] = ""
                libvirt.stamp(domain.name, stamp)
        self.control.spread_names()

    def _taken_out(self, unit: str, domain: Domain) -> bool:
        """Remove a unit's files from a shared machine; False if the machine does not answer."""
        machine = self._machines.ssh_machine(self.control.resumed(domain))
        try:
            machine.connect(patience=REMOVAL_PATIENCE)
        except EnvctlError:
            return False
        port_forwards.remove(domain.units[unit]["ports"], machine)
        machine.run(guest_setup.remove_script(UnitPaths(unit, shared=True)))
        return True

    def _delete_volume(self, volume: str) -> None:
        libvirt.remove_disks([self._names.disk(volume)])

    # --- in a running machine

    def note_hook(self, unit: str, hook: str) -> None:
        """Record that a hook has run."""
        domain = self._machines.domain_of(unit)
        assert domain is not None  # the hook has just run in it
        with self._locks[self._names.unit(domain.name) or ""]:
            current = libvirt.domain(domain.name)
            if current is not None and unit in current.units:
                hooks = [*current.units[unit].get("hooks", ()), hook]
                stamp = machine_stamp.with_unit(current.stamp or {}, unit, hooks=hooks)
                libvirt.stamp(current.name, stamp)

    def _set_up(self, unit: Unit, domain: Domain, *, new_run: bool = True) -> None:
        """Write a unit's service, secrets and ports into a running machine, start the unit, and stamp the machine."""
        machine = self._machines.ssh_machine(domain)
        domain = self._without_events(domain, unit.name)
        self.put_in_place(unit, domain, new_run=new_run)
        former_ports = domain.units.get(unit.name, {}).get("ports", {})
        port_forwards.remove(former_ports, machine)
        ports = port_forwards.by_key(unit.run.ports)
        port_forwards.add(ports, machine, unit)
        stamp = {
            "made_for": layout.machine_of(unit).digest,
            "made_of": domain.source_id,
            "address": machine.address,
            "scope": asdict(self._names.scope),
            anonymous_volumes.KEY: anonymous_volumes.to_stamp(anonymous_volumes.from_stamp(domain)),
            "units": {**domain.units, unit.name: _note(unit, ports)},
            **machine_stamp.after_start(domain.one_offs, unit.name),
        }
        libvirt.stamp(domain.name, stamp)
        self.control.spread_names()

    def put_in_place(
        self, unit: Unit, domain: Domain, *, new_run: bool = True, start: bool = True
    ) -> None:
        """Write a unit's service and secrets into a running machine; with `start`, start the unit."""
        paths = UnitPaths(unit.name, layout.is_shared(unit))
        contained = container.runs_in_container(unit)
        secrets = {secret.name: self._context.secret(secret.name) for secret in unit.run.secrets}
        whole = with_volumes(unit, anonymous_volumes.from_stamp(domain)) if contained else unit
        self._machines.ssh_machine(domain).run(
            guest_setup.chown_script(self.control.owners(unit))
            + guest_setup.setup_script(whole, paths, new_run=new_run, start=start),
            data=guest_setup.archive(whole, paths, secrets),
            timeout=container.TIMEOUT if contained else ssh_machine.TIMEOUT,
        )

    def _without_events(self, domain: Domain, unit: str) -> Domain:
        """The domain, without the events of a unit since its last start."""
        if domain.units.get(unit, {}).keys().isdisjoint(machine_stamp.EVENTS):
            return domain
        stamp = machine_stamp.without_events(domain.stamp or {}, unit)
        libvirt.stamp(domain.name, stamp)
        return replace(domain, stamp=stamp)


def _note(unit: Unit, ports: Mapping[str, int]) -> Mapping[str, Any]:
    """The note about a unit in its machine's stamp."""
    source = unit.source
    return {
        "service": unit.service,
        "replica": unit.replica,
        "build": "" if isinstance(source, ReadyImage) else source.digest,
        "image": source.image if isinstance(source, ReadyImage) else "",
        "run": run_text(unit.run),
        "shared": layout.is_shared(unit),
        "contained": container.runs_in_container(unit),
        "aliases": sorted({unit.name, unit.service, *unit.run.aliases}),
        "ports": ports,
    }


def _has_only_tasks(domain: Domain) -> bool:
    return bool(domain.units) and all(machine_stamp.is_task(unit) for unit in domain.units.values())
