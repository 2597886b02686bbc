"""Units as a whole: what `up` would change or wait for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from envctl.parity.drift.expectation import UNITS, Expectation, cannot_check, place
from envctl.plan.changes import Action, Change
from envctl.plan.model import Kind, Plan, Unit
from envctl.plan.state import Health, Status, UnitState


def expectations(
    plan: Plan, changes: Sequence[Change], states: Mapping[str, UnitState]
) -> Iterator[Expectation]:
    """One expectation for each unit that exists or should exist; `changes` are what `up` would do."""
    planned = {unit.name for unit in plan.units}
    due = {change.unit: change for change in changes if change.key == change.unit}
    for unit in plan.units:
        change, state = due.get(unit.name), states[unit.name]
        if change is not None:
            text = "; ".join(filter(None, (change.cause, _bad_health(unit, state))))
            expectation = Expectation(
                unit.name, UNITS, "", _desired_state(unit), text, change.where
            )
        else:
            expectation = _alive(unit, state)
        why = "; ".join(state.unchecked)
        if why and expectation.passed:
            expectation = cannot_check(unit.name, UNITS, "", why, unit.where)
        elif why:
            expectation = replace(
                expectation, observed=f"{expectation.observed}; it is unknown {why}"
            )
        yield expectation
    for name, change in due.items():
        if name and name not in planned:
            yield Expectation(name, UNITS, "", "absent", change.cause, change.where)


def not_looked_into(unit: Unit, changes: Sequence[Change], states: Mapping[str, UnitState]) -> str:
    """Why a service is not examined; "" if it is running and was created from this spec.

    A unit that `up` will replace is not examined, because any change inside it disappears anyway.
    """
    state = states[unit.name]
    if state.status is not Status.RUNNING:
        return (
            "it does not exist yet" if state.status is Status.MISSING else f"it is {state.status}"
        )
    drift = {*(drifted.text for drifted in state.drift), state.defect}
    for change in changes:
        # Builds and pending hooks do not change how the unit was created.
        due = change.unit == unit.name and change.action not in (Action.BUILD, Action.HOOK)
        if due and not {cause.text for cause in change.causes} <= drift:
            return "`envctl up` has to change it first"
    return ""


def running(plan: Plan, states: Mapping[str, UnitState]) -> list[Unit]:
    """The running services."""
    return [
        unit
        for unit in plan.units
        if unit.kind is Kind.SERVICE and states[unit.name].status is Status.RUNNING
    ]


def _desired_state(unit: Unit) -> str:
    if unit.kind is Kind.TASK:
        return "completed"
    return "healthy" if unit.run.probe else "running"


def _bad_health(unit: Unit, state: UnitState) -> str:
    """Why a running unit is not healthy; "" if it is healthy or has no health check."""
    if state.status is not Status.RUNNING or not unit.run.probe or state.health is Health.HEALTHY:
        return ""
    return "; ".join(filter(None, (f"it is {state.health}", state.cause)))


def _alive(unit: Unit, state: UnitState) -> Expectation:
    """The expectation of a unit that `up` would not change."""
    desired = _desired_state(unit)
    if unit.kind is Kind.TASK:
        done = state.status is Status.EXITED
        observed = desired if done else f"it has not completed: it is {state.status}"
    elif state.status is not Status.RUNNING:
        observed = f"it is not running: it is {state.status}"
    elif bad := _bad_health(unit, state):
        return Expectation(unit.name, UNITS, "", desired, bad, place(unit, "probe"))
    else:
        observed = desired
    if observed != desired and state.cause:
        observed = f"{observed}; {state.cause}"
    return Expectation(unit.name, UNITS, "", desired, observed, unit.where)
