"""Selects services of an environment, with all that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from envctl.definition.resolved import Resolved
from envctl.errors import UsageError
from envctl.plan.model import Plan
from envctl.suggest import did_you_mean


def needed_services(resolved: Resolved, services: Sequence[str]) -> frozenset[str]:
    """Return these services and all their dependencies, without unknown names."""
    declared = resolved.data["services"]
    names = (name for name in services if name in declared)
    return _closure(names, lambda name: declared[name]["depends_on"])


def inactive_services(
    resolved: Resolved, profiles: Collection[str], services: Sequence[str]
) -> frozenset[str]:
    """Return the services that are left out: none of their profiles was chosen, and no other service needs them.

    `services` were asked for by name. UsageError for a profile that no service has.
    """
    declared = resolved.data["services"]
    known = {profile for service in declared.values() for profile in service["profiles"]}
    for profile in profiles:
        if profile not in known:
            raise UsageError(
                f"no service has the profile {profile!r}", hint=did_you_mean(profile, known)
            )
    if not known:
        return frozenset()
    chosen = [
        name
        for name, service in declared.items()
        if not service["profiles"] or {*service["profiles"]} & {*profiles}
    ]
    return frozenset(declared) - needed_services(resolved, [*chosen, *services])


def select(plan: Plan, services: Sequence[str]) -> Plan:
    """Return the plan of these services and their dependencies; the whole plan if none are given. UsageError for an unknown one."""
    if not services:
        return plan
    units = {unit.service: unit for unit in plan.units}

    def depends_on(name: str) -> Iterable[str]:
        if name not in units:
            raise UsageError(
                f"{plan.scope.environment} has no service {name!r}", hint=did_you_mean(name, units)
            )
        return units[name].depends_on

    selected = _closure(services, depends_on)
    return replace(plan, units=tuple(unit for unit in plan.units if unit.service in selected))


def _closure(services: Iterable[str], depends_on: Callable[[str], Iterable[str]]) -> frozenset[str]:
    selected: set[str] = set()
    pending = list(services)
    while pending:
        name = pending.pop()
        if name not in selected:
            selected.add(name)
            pending.extend(depends_on(name))
    return frozenset(selected)
