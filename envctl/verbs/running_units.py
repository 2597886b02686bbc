"""Which units of a target can be used, and errors for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from envctl.errors import EnvctlError, UsageError
from envctl.plan.exit_state import exit_text
from envctl.plan.model import Kind
from envctl.plan.state import Observed, Status, UnitState
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.session import Session
from envctl.suggest import did_you_mean


def units_with_logs(session: Session, names: Sequence[str]) -> tuple[str, ...]:
    """The existing units of these services or names, or all existing units.

    UsageError for an unknown name, EnvctlError if no unit exists.
    """
    existing = session.backend.observe().units
    units: dict[str, None] = {} if names else dict.fromkeys(existing)
    for name in names:
        matches = [unit for unit, state in existing.items() if name in (unit, state.service)]
        if not matches:
            raise _not_existing(session, name, existing)
        units.update(dict.fromkeys(matches))
    if not units:
        raise nothing_up(session, f"{session.target.environment} is not up, so it has no logs")
    return tuple(units)


def named_units(session: Session, observed: Observed, names: Sequence[str]) -> frozenset[str]:
    """The existing units of these services or names, or all existing units. UsageError for an unknown name."""
    require_names(session, observed, names)
    return frozenset(
        name
        for name, state in observed.units.items()
        if not names or {name, state.service} & {*names}
    )


def require_names(session: Session, observed: Observed, names: Sequence[str]) -> None:
    """UsageError for a service or unit that neither the spec nor the engine has."""
    known = _known_names(session, observed.units) if names else ()
    for name in names:
        if name not in known:
            raise UsageError(
                f"{session.target.environment} has no service {name!r}",
                hint=did_you_mean(name, known),
            )


def _known_names(session: Session, units: Mapping[str, UnitState]) -> set[str]:
    """The names of services and units, in the spec or on the engine."""
    plan = session.plan_or_none
    names = {word for state in units.values() for word in (state.name, state.service)}
    if plan is None:
        return names
    planned = {word for unit in plan.units for word in (unit.name, unit.service)}
    return names | planned | {*plan.inactive}


def require_existing(session: Session, name: str, observed: Observed) -> None:
    """EnvctlError, with the existing units, unless a unit or service of this name exists."""
    if not any(name in (unit.name, unit.service) for unit in observed.units.values()):
        raise _not_existing(session, name, observed.units)


def require_running(session: Session, name: str) -> None:
    """EnvctlError, with a remedy, unless the unit of this name is running."""
    existing, target = session.backend.observe().units, session.target
    if name not in existing:
        raise _not_existing(session, name, existing)
    state = existing[name]
    if state.status in (Status.UNREACHABLE, Status.UNKNOWN):
        raise EnvctlError(
            f"{name} is {state.status}: {state.cause or 'cause unknown'}",
            hint=f"`envctl status {target}` checks again; `envctl up {target}` waits longer",
        )
    if state.status.is_over and _is_task(session, name):
        ended = (
            "has completed"
            if state.exit_code == 0
            else f"has failed ({exit_text(state.exit_code)})"
        )
        raise EnvctlError(
            f"{name} is a task and {ended}: nothing runs in it any more",
            hint=f"`envctl logs {target} {name}` shows what it wrote",
        )
    if state.status is not Status.RUNNING:
        raise EnvctlError(
            f"{name} is not running ({state.status})", hint=f"bring it up with `envctl up {target}`"
        )


def _is_task(session: Session, name: str) -> bool:
    session.include_existing()
    plan = session.plan_or_none
    units = plan.units if plan else ()
    return any(unit.name == name and unit.run.kind is Kind.TASK for unit in units)


def nothing_up(session: Session, brief: str) -> EnvctlError:
    """The error for an environment that is not up from this folder; it may be up from a folder that no longer exists."""
    hint = "; ".join(lost_texts(session)) or f"bring it up with `envctl up {session.target}`"
    return EnvctlError(brief, hint=hint)


def tell_lost(session: Session, observed: Observed) -> None:
    """Report if the environment is up from a folder that no longer exists instead of from here."""
    for text in () if observed.units else lost_texts(session):
        session.report(Progress(session.id, Stage.NOTE, text))


def lost_environment(project: Project, target: Target) -> tuple[str, ...]:
    """Sentences about an environment that is up from a folder that no longer exists."""
    return lost_texts(Session.of_existing(project, target))


def lost_texts(session: Session) -> tuple[str, ...]:
    """Sentences about an environment that is up from a folder since deleted; none without an answer of the engine."""
    from envctl.verbs.adopt import lost, lost_text

    with suppress(EnvctlError):
        environments = lost(session.backend, session.scope, environment=session.target.environment)
        return tuple(map(lost_text, environments))
    return ()


def _not_existing(session: Session, name: str, existing: Mapping[str, UnitState]) -> EnvctlError:
    environment, known = session.target.environment, _known_names(session, existing)
    if name in known:
        brief = f"{name} of {environment} is not up"
        words = f"{session.target} {name}" if _is_inactive(session, name) else session.target
        up = EnvctlError(brief, hint=f"bring it up with `envctl up {words}`")
        return up if existing else nothing_up(session, brief)
    return UsageError(f"{environment} has no service {name!r}", hint=did_you_mean(name, known))


def _is_inactive(session: Session, service: str) -> bool:
    """Whether `up` leaves it out unless it is named."""
    plan = session.plan_or_none
    return plan is not None and service in plan.inactive
