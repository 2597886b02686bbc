"""Changes that the user requests for units, even if they match the spec. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from envctl.plan.changes import Action, Cause, Change
from envctl.plan.model import Kind, Plan, Unit
from envctl.plan.state import Observed, Status, UnitState

Forced: TypeAlias = Mapping[str, tuple[Action, str]]
"""By unit, the requested action, REPLACE or RESTART, and its cause in words."""

NOTHING_FORCED: Final[Forced] = {}
_REQUESTED: Final = "you asked for it"
_WEAKER: Final[Mapping[Action, frozenset[Action]]] = {
    Action.REPLACE: frozenset({Action.RECONFIGURE, Action.START, Action.RESTART, Action.HOOK}),
    Action.RESTART: frozenset({Action.START, Action.HOOK}),
}
"""By action, the actions that it includes."""
_NOTHING_TO_STOP: Final = (Status.MISSING, Status.CREATED)


def recreations(plan: Plan, services: Sequence[str]) -> Forced:
    """Replace every unit of these services, or of all if none are given."""
    return {
        unit.name: (Action.REPLACE, _REQUESTED)
        for unit in plan.units
        if not services or unit.service in services
    }


def restarts(
    plan: Plan, observed: Observed, services: Sequence[str], *, dependents: bool
) -> Forced:
    """Restart every existing unit of these services, or of all; with `dependents`, also running units that depend on them.

    Tasks that have ended are not run again.
    """
    existing = [unit for unit in plan.units if unit.name in observed.units]
    causes = {
        unit.service: _REQUESTED
        for unit in existing
        if (unit.service in services if services else unit.kind is Kind.SERVICE)
    }
    if dependents:
        causes = {**dict(_dependent_causes(plan, observed, tuple(causes))), **causes}
    return {
        unit.name: (Action.RESTART, causes[unit.service])
        for unit in existing
        if unit.service in causes
    }


def _dependent_causes(
    plan: Plan, observed: Observed, services: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the running services that depend on these, directly or through others, each with the cause of its restart."""
    restarted = set(services)
    # In a plan dependencies come first.
    for unit in plan.units:
        changed = next((name for name in unit.depends_on if name in restarted), None)
        state = observed.units.get(unit.name)
        if changed and state and not state.status.is_over and unit.kind is Kind.SERVICE:
            restarted.add(unit.service)
            yield unit.service, f"it depends on {changed}, which restarts"


def with_forced(
    unit: Unit, change: Change | None, state: UnitState | None, forced: Forced
) -> Change | None:
    """Return the stronger of a unit's change and the requested one, with the causes of both."""
    if unit.name not in forced or state is None or state.status in _NOTHING_TO_STOP:
        return change
    action, text = forced[unit.name]
    cause = Cause(text, None)
    if change is None:
        return Change(action, unit.name, (cause,), unit)
    if change.action in _WEAKER[action]:
        return replace(change, action=action, causes=(*change.causes, cause))
    return change
