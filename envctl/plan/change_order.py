"""The order between changes of different units: a resource is released before another unit takes it. Pure.

A change that takes a resource waits for the change of the unit that still has it. If changes would wait for each other,
for instance because two services swap ports, these units are stopped first, all before any is created.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.plan.changes import Action, Change, because
from envctl.plan.holdings import Holding, observed_holdings, planned_holdings
from envctl.plan.model import Plan, Unit
from envctl.plan.state import Observed

_TAKES: Final = (Action.CREATE, Action.REPLACE, Action.RECONFIGURE, Action.START)


@dataclass(frozen=True, slots=True)
class _Handover:
    """`giver` has a resource that the change of `taker` needs, and will not keep it."""

    giver: str
    taker: str
    what: tuple[Holding, ...]


def in_order(
    changes: Sequence[Change], observed: Observed, units: Mapping[str, Unit]
) -> tuple[Change, ...]:
    """Order the changes of units: those that release something come before those that take it. Adds stops if necessary.

    `units` are the plan's. Both `changes` and the result are in an order that the needs of changes allow.
    """
    changed = {change.unit for change in changes}
    handovers = [
        handover for handover in _handovers(changes, observed, units) if handover.giver in changed
    ]
    if not handovers:
        return tuple(changes)
    stopped = _stopped(changes, handovers)
    stops = {name: _stop(name, handovers, changes, units) for name in stopped}
    linked = [_linked(change, handovers, stops) for change in changes]
    return _sorted([*stops.values(), *linked])


def stuck(changes: Sequence[Change], observed: Observed, plan: Plan) -> Sequence[str]:
    """Return the resources that changes take from services that are not in the plan, in words."""
    units = {unit.name: unit for unit in plan.units}
    return [
        f"{handover.giver} still has what {handover.taker} takes: {_and(handover.what)}"
        for handover in _handovers(changes, observed, units)
        if observed.units[handover.giver].service in plan.left_out
    ]


def _handovers(
    changes: Sequence[Change], observed: Observed, units: Mapping[str, Unit]
) -> list[_Handover]:
    givers: dict[tuple[str, str], list[tuple[str, Holding]]] = {}
    for name, state in observed.units.items():
        for holding in observed_holdings(state):
            givers.setdefault((holding.kind, holding.name), []).append((name, holding))
    wanted_by = {name: planned_holdings(unit) for name, unit in units.items()}
    holdings: dict[tuple[str, str], list[Holding]] = {}
    for change in changes:
        if change.action not in _TAKES or not isinstance(change.target, Unit):
            continue
        for holding in sorted(wanted_by[change.unit], key=str):
            for name, other in givers.get((holding.kind, holding.name), ()):
                keeps = any(other.clashes(mine) for mine in wanted_by.get(name, ()))
                if name != change.unit and holding.clashes(other) and not keeps:
                    holdings.setdefault((name, change.unit), []).append(holding)
    return [
        _Handover(giver, taker, tuple(dict.fromkeys(what)))
        for (giver, taker), what in holdings.items()
    ]


def _stopped(changes: Sequence[Change], handovers: Sequence[_Handover]) -> list[str]:
    """Return the units that have to be stopped first, because their own change and another one wait for each other."""
    needs = {change.key: set(change.needs) for change in changes}
    for handover in handovers:
        needs[handover.taker].add(handover.giver)
    circular = {
        handover.giver
        for handover in handovers
        if handover.taker in _reached(handover.giver, needs)
    }
    return [change.unit for change in changes if change.unit in circular]


def _reached(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Return all that a change waits for, directly or through others."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for need in needs.get(todo.pop(), ()):
            if need not in seen:
                seen.add(need)
                todo.append(need)
    return seen


def _stop(
    name: str, handovers: Sequence[_Handover], changes: Sequence[Change], units: Mapping[str, Unit]
) -> Change:
    own_handovers = [handover for handover in handovers if handover.giver == name]
    text = "; ".join(
        f"{handover.taker} takes its {_and(handover.what)}" for handover in own_handovers
    )
    involved = {name, *(handover.taker for handover in own_handovers)}
    # Its image is built before anything is stopped for it.
    builds = [
        need
        for change in changes
        if change.key in involved
        for need in change.needs
        if need.startswith(f"{Action.BUILD}:")
    ]
    unit = units.get(name)
    return Change(
        Action.STOP,
        name,
        because(text, unit.where if unit else None),
        unit,
        tuple(dict.fromkeys(builds)),
    )


def _and(what: Sequence[Holding]) -> str:
    return ", ".join(map(str, what))


def _linked(change: Change, handovers: Sequence[_Handover], stops: Mapping[str, Change]) -> Change:
    needs = [
        stops[handover.giver].key if handover.giver in stops else handover.giver
        for handover in handovers
        if handover.taker == change.unit
    ]
    if change.unit in stops:
        needs.append(stops[change.unit].key)
    frees = tuple(handover.taker for handover in handovers if handover.giver == change.unit)
    return replace(change, needs=tuple(dict.fromkeys([*change.needs, *needs])), frees=frees)


def _sorted(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes, each after those it needs, otherwise in the same order."""
    place = {change.key: index for index, change in enumerate(changes)}
    waiting: dict[str, list[int]] = {}
    missing = [0] * len(changes)
    for index, change in enumerate(changes):
        for need in change.needs:
            if need in place:
                waiting.setdefault(need, []).append(index)
                missing[index] += 1
    ready = [index for index, count in enumerate(missing) if not count]
    done: list[Change] = []
    while ready:
        change = changes[heapq.heappop(ready)]
        done.append(change)
        for index in waiting.get(change.key, ()):
            missing[index] -= 1
            if not missing[index]:
                heapq.heappush(ready, index)
    return tuple(done)
