"""Machines for one-off commands of units that are not up. They are made or started for a command, and removed or shut down after it.

The machine's stamp lists the runs that use it, next to its units. Other commands see no unit in it, and `up` takes the
machine over. The last run cleans up. If a run was killed, the next one cleans up.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from envctl.backends.common.makers import has_ended, here
from envctl.backends.vagrant import layout, libvirt
from envctl.backends.vagrant.lifecycle import LIST_RUNNING
from envctl.backends.vagrant.machine.machine_stamp import ONE_OFFS
from envctl.backends.vagrant.unit import guest_setup
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.vagrant.lifecycle import UnitLifecycle
    from envctl.backends.vagrant.machine.domain import Domain
    from envctl.backends.vagrant.machine.machine_lookup import Machines
    from envctl.backends.vagrant.names import MachineNames
    from envctl.plan.model import Unit


class OneOffMachine:
    """The machine for one command of a unit. The caller holds the environment's lock while it borrows or returns the machine."""

    def __init__(
        self, unit: Unit, names: MachineNames, machines: Machines, lifecycle: UnitLifecycle
    ) -> None:
        self._unit = unit
        self._names = names
        self._machines = machines
        self._lifecycle = lifecycle
        self._control = lifecycle.control
        self._user = f"{here()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._name = ""
        self._noted = False

    @property
    def is_borrowed(self) -> bool:
        """Whether the machine was made, started or changed for the command, and so has to be returned."""
        return bool(self._name)

    def shares(self, domain: Domain) -> bool:
        """Whether the unit shares the machine with others."""
        note = domain.units.get(self._unit.name)
        return layout.is_shared(self._unit) if note is None else bool(note.get("shared"))

    def borrow(self) -> Domain:
        """Return the running machine, after setting up everything that the unit needs."""
        for other in libvirt.domains(f"{self._names.prefix}_").values():
            if other.one_offs and not (other.running and _living(other.one_offs["users"])):
                self._end(other)
        domain = self._machines.domain_of(self._unit.name)
        if domain is not None and self._unit.name in domain.units:
            if _is_on(domain) and not domain.one_offs:
                return self._control.resumed(domain)
            name = self._names.unit(domain.name) or self._unit.name
        else:
            name = layout.machine_of(self._unit).name
            domain = self._control.domain(name)
        self._name = name
        return self._set_up(self._on(name, domain), domain)

    def _on(self, name: str, domain: Domain | None) -> Domain:
        """Make or start the machine if necessary, and return it."""
        if domain is None or not (domain.units or domain.one_offs):
            return self._lifecycle.machine_for(self._unit)
        if self._unit.name not in domain.units and layout.is_shared(self._unit):
            self._require_usable(domain)
        return self._control.running(name)

    def _require_usable(self, domain: Domain) -> None:
        """EnvctlError if the unit needs another machine than the one that other units are in."""
        if not self._lifecycle.is_usable(domain, self._unit):
            raise EnvctlError(
                f"{self._unit.name} shares a machine, which was made of an earlier spec",
                hint=f"bring it up to date with `envctl up {self._names.scope.environment}`",
                where=self._unit.where,
            )

    def _set_up(self, domain: Domain, before: Domain | None) -> Domain:
        """Record the run in the machine's stamp, and set up everything that the unit needs."""
        was_on = before is not None and _is_on(before)
        known = before.one_offs if before is not None and was_on else {}
        one_offs = {
            "users": [*_living(known.get("users", ())), self._user],
            "units": sorted({*known.get("units", ()), self._unit.name}),
            "started": known.get("started", bool(domain.units) and not was_on),
        }
        address = self._machines.ssh_machine(domain).address
        stamp = {**(domain.stamp or {}), "address": address, ONE_OFFS: one_offs}
        libvirt.stamp(domain.name, stamp)
        self._noted = True
        noted = replace(domain, stamp=stamp)
        self._lifecycle.put_in_place(self._unit, noted, new_run=False, start=False)
        self._control.spread_names()
        return noted

    def give_back(self) -> None:
        """Stop using the machine. If no other run uses it, remove it or restore its former state."""
        domain = self._control.domain(self._name)
        if domain is None:
            return
        if not self._noted:
            if not domain.units and not domain.one_offs:
                # The run was interrupted while it made the machine.
                self._control.remove(self._name)
            return
        users = domain.one_offs.get("users", ())
        if self._user not in users:
            # `down` has removed that machine meanwhile; this is a new one.
            return
        others = [user for user in _living(users) if user != self._user]
        if others:
            one_offs = {**domain.one_offs, "users": others}
            libvirt.stamp(domain.name, {**(domain.stamp or {}), ONE_OFFS: one_offs})
        else:
            self._end(domain)

    def _end(self, domain: Domain) -> None:
        """Remove a machine without units. In a machine with units, remove what was set up for commands."""
        if domain.units:
            self._take_out(domain)
        else:
            self._control.remove(self._names.unit(domain.name) or domain.name)
        self._control.spread_names()

    def _take_out(self, domain: Domain) -> None:
        """Remove what was set up for commands. Shut the machine down if it was started for them and no unit runs."""
        stamp = {key: value for key, value in (domain.stamp or {}).items() if key != ONE_OFFS}
        if domain.running:
            machine = self._machines.ssh_machine(domain)
            paths = [UnitPaths(unit, shared=True) for unit in _guests(domain)]
            removals = [f"{{ {guest_setup.remove_script(path)}; }}" for path in paths]
            active = machine.run("; ".join([*removals, f"{LIST_RUNNING} || :"])).split()
            if domain.one_offs["started"] and not active:
                self._control.shut_down(replace(domain, stamp=stamp), machine)
                return
        libvirt.stamp(domain.name, stamp)


def _is_on(domain: Domain) -> bool:
    return (domain.running and not domain.shutting_down) or domain.paused


def _living(users: Sequence[str]) -> list[str]:
    """The users whose process has not ended."""
    parts = {user: user.split("-") for user in users}
    return [
        user for user, (where, process, _) in parts.items() if not has_ended(where, int(process))
    ]


def _guests(domain: Domain) -> Sequence[str]:
    """The units that were set up only for commands."""
    one_offs: Mapping[str, Any] = domain.one_offs
    return [unit for unit in one_offs["units"] if unit not in domain.units]
