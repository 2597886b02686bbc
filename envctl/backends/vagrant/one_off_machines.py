"""Machines of one-offs whose unit is not up: made or started for a command, and removed or shut down after it.

Whoever uses a machine so is in its stamp, beside its units: no command sees a unit there, and `up` takes the machine over
as it is. The last to leave ends it; what a killed run left, the next run ends.
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
    """The machine for one one-off of a unit. Whoever borrows it, or gives it back, has the environment to itself."""

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
        """Whether it has to be given back: it was made, started or changed for the one-off."""
        return bool(self._name)

    def shares(self, domain: Domain) -> bool:
        """Whether the unit shares the machine with others."""
        note = domain.units.get(self._unit.name)
        return layout.is_shared(self._unit) if note is None else bool(note.get("shared"))

    def borrow(self) -> Domain:
        """The machine, which runs and has all that the unit needs."""
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
        """The machine, made or started if need be."""
        if domain is None or not (domain.units or domain.one_offs):
            return self._lifecycle.machine_for(self._unit)
        if self._unit.name not in domain.units and layout.is_shared(self._unit):
            self._require_usable(domain)
        return self._control.running(name)

    def _require_usable(self, domain: Domain) -> None:
        """EnvctlError if a machine that others are in would have to be another one for this unit."""
        if not self._lifecycle.is_usable(domain, self._unit):
            raise EnvctlError(
                f"{self._unit.name} shares a machine, which was made of an earlier spec",
                hint=f"bring it up to date with `envctl up {self._names.scope.environment}`",
                where=self._unit.where,
            )

    def _set_up(self, domain: Domain, before: Domain | None) -> Domain:
        """Note the one-off in the machine, and put in place what its unit needs."""
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
        """Leave the machine; if nobody else uses it, it is as it was before, or gone."""
        domain = self._control.domain(self._name)
        if domain is None:
            return
        if not self._noted:
            if not domain.units and not domain.one_offs:
                # Interrupted while it was made.
                self._control.remove(self._name)
            return
        users = domain.one_offs.get("users", ())
        if self._user not in users:
            # It was taken down meanwhile, and is another one now.
            return
        others = [user for user in _living(users) if user != self._user]
        if others:
            one_offs = {**domain.one_offs, "users": others}
            libvirt.stamp(domain.name, {**(domain.stamp or {}), ONE_OFFS: one_offs})
        else:
            self._end(domain)

    def _end(self, domain: Domain) -> None:
        """Remove a machine that was there for one-offs only; take them out of one that has units."""
        if domain.units:
            self._take_out(domain)
        else:
            self._control.remove(self._names.unit(domain.name) or domain.name)
        self._control.spread_names()

    def _take_out(self, domain: Domain) -> None:
        """Remove what one-offs have in a machine; it is shut down again if it was started for them, and nothing runs."""
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
    """The units that a machine has for one-offs only."""
    one_offs: Mapping[str, Any] = domain.one_offs
    return [unit for unit in one_offs["units"] if unit not in domain.units]
