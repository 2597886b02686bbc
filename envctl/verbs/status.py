"""`status`: a row for every existing or planned unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from envctl.errors import SpecError
from envctl.lazy_dataclass import dataclass
from envctl.plan.exit_state import exit_text, killed_text
from envctl.plan.model import Kind, Unit
from envctl.plan.state import Health, Observed, Status, UnitState
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile.probe_states import probe_states
from envctl.reconcile.volume_notes import VolumeState, unused
from envctl.session import Session
from envctl.verbs.running_units import require_names

VOLUME: Final = "volume"
"""The kind of a row for a volume that no unit uses."""


@dataclass(frozen=True, slots=True)
class Row:
    """The state of one unit, as `status` shows it; `cause` is how it differs from the spec."""

    environment: str
    backend: str
    service: str
    replica: int
    unit: str
    kind: str
    state: str
    health: str
    addresses: tuple[str, ...]
    cause: str


def status(project: Project, target: Target, services: Sequence[str] = ()) -> tuple[Row, ...]:
    """The state of every existing or planned unit, or of those of `services`.

    UsageError for a service that neither the spec nor the engine has.
    """
    session = Session.of_existing(project, target)
    session.include_existing(services)
    observed = session.observe()
    plan = session.plan_or_none
    units = {unit.name: unit for unit in plan.units} if plan else {}
    causes = _causes(session, observed)
    mask = session.store.masked
    states = probe_states(session.backend, tuple(units.values()), observed, mask=mask)
    states += [state for name, state in observed.units.items() if name not in units]
    environment, backend = session.target.environment, session.backend.name
    rows = (_row(environment, backend, state, units.get(state.name), causes) for state in states)
    if services:
        require_names(session, observed, services)
        return tuple(row for row in rows if {row.unit, row.service} & {*services})
    left = unused(plan, observed) if plan else ()
    return (*rows, *(_volume(environment, backend, name) for name in left))


def _volume(environment: str, backend: str, name: str) -> Row:
    """The row of a volume that no unit uses."""
    cause = "no longer in the spec; `envctl down --volumes` deletes it"
    state = str(VolumeState.UNUSED)
    return Row(environment, backend, "", 0, name, VOLUME, state, str(Health.NONE), (), cause)


def unknown_rows(session: Session, cause: str) -> tuple[Row, ...]:
    """A row for every planned unit when their state is unknown."""
    plan = session.plan_or_none
    states = [
        UnitState(unit.name, unit.service, Status.UNKNOWN, replica=unit.replica)
        for unit in (plan.units if plan else ())
    ]
    units = {unit.name: unit for unit in plan.units} if plan else {}
    environment, backend = session.target.environment, session.backend.name
    return tuple(
        _row(environment, backend, state, units[state.name], {state.name: cause})
        for state in states
    )


def _causes(session: Session, observed: Observed) -> Mapping[str, str]:
    """By unit, how it differs from the spec, or why that is unknown."""
    if session.unknown_reason:
        return dict.fromkeys(observed.units, session.unknown_reason)
    try:
        changes = session.changes(observed)
    except SpecError as error:
        # A secret has no value, so the units cannot be compared with the spec.
        names = {*(unit.name for unit in session.plan.units), *observed.units}
        return dict.fromkeys(names, error.problems[0].message)
    return {change.unit: change.cause for change in changes if change.key == change.unit}


def _row(
    environment: str, backend: str, state: UnitState, unit: Unit | None, causes: Mapping[str, str]
) -> Row:
    kind = unit.kind if unit else Kind.SERVICE
    shown = str(state.status)
    if kind is Kind.TASK and state.status is Status.EXITED and state.exit_code is not None:
        shown = "completed" if state.exit_code == 0 else "failed"
    cause = causes.get(state.name, "")
    for more in (_why(state), state.defect, state.cause):
        if more and more not in cause:
            cause = f"{cause}; {more}".removeprefix("; ")
    return Row(
        environment,
        backend,
        state.service,
        state.replica,
        state.name,
        str(kind),
        shown,
        str(state.health),
        state.addresses,
        cause,
    )


def _why(state: UnitState) -> str:
    """The cause that follows from the state alone."""
    if state.status is Status.OOM_KILLED:
        return killed_text(state)
    if state.status is Status.EXITED and state.exit_code:
        return exit_text(state.exit_code)
    if state.status is Status.RESTARTING:
        times = f"restarted {state.restarts} times" if state.restarts > 1 else ""
        last = f"last {exit_text(state.exit_code)}" if state.exit_code is not None else ""
        return ", ".join(part for part in (times, last) if part)
    if state.health is Health.UNHEALTHY and not state.cause:
        return "its health probe fails"
    return ""
