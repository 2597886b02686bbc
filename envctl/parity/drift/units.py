"""Units as a whole: what `up` would do to them, and what it would wait for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from envctl.parity.drift.claim import UNITS, Claim, place
from envctl.plan.changes import Action, Change
from envctl.plan.model import Kind, Plan, Unit
from envctl.plan.state import Health, Status, UnitState


def claims(
    plan: Plan, changes: Sequence[Change], states: Mapping[str, UnitState]
) -> Iterator[Claim]:
    """One of each unit there is or should be; `changes` are what `up` would do."""
    wanted = {unit.name for unit in plan.units}
    due = {change.unit: change for change in changes if change.action is not Action.BUILD}
    for unit in plan.units:
        change = due.get(unit.name)
        if change is not None:
            yield Claim(unit.name, UNITS, "", _wanted(unit), change.cause, change.where)
        else:
            yield _alive(unit, states[unit.name])
    for name, change in due.items():
        if name and name not in wanted:
            yield Claim(name, UNITS, "", "not there", change.cause, change.where)


def looked_into(
    plan: Plan, changes: Sequence[Change], states: Mapping[str, UnitState]
) -> list[Unit]:
    """The units that run and are made as the spec has them.

    To look for what was changed inside one that is to be replaced is to look for what goes anyway.
    """
    due = {change.unit for change in changes if change.action is not Action.BUILD}
    return [unit for unit in running(plan, states) if unit.name not in due]


def running(plan: Plan, states: Mapping[str, UnitState]) -> list[Unit]:
    """The services that run."""
    return [
        unit
        for unit in plan.units
        if unit.kind is Kind.SERVICE and states[unit.name].status is Status.RUNNING
    ]


def _wanted(unit: Unit) -> str:
    if unit.kind is Kind.TASK:
        return "completed"
    return "healthy" if unit.run.probe else "running"


def _alive(unit: Unit, state: UnitState) -> Claim:
    """Of a unit that `up` would leave alone."""
    wanted, where = _wanted(unit), unit.where
    if unit.kind is Kind.TASK:
        done = state.status is Status.EXITED
        found = wanted if done else f"it has not completed: it is {state.status}"
    elif state.status is not Status.RUNNING:
        found = f"it is not running: it is {state.status}"
    elif unit.run.probe and state.health is not Health.HEALTHY:
        found, where = f"it is {state.health}", place(unit, "probe")
    else:
        found = wanted
    if found != wanted and state.cause:
        found = f"{found}; {state.cause}"
    return Claim(unit.name, UNITS, "", wanted, found, where)
