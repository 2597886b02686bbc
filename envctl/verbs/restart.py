"""`restart`: restart units, and wait until they are ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from envctl.errors import UsageError
from envctl.plan.model import Kind
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile.forced_changes import restarts
from envctl.session import Session
from envctl.verbs.results import Decided, UpResult, ignore_changes
from envctl.verbs.running_units import nothing_up, require_existing
from envctl.verbs.up import UpRequest, bring_up


def restart(
    project: Project,
    target: Target,
    *,
    services: Sequence[str] = (),
    dependents: bool = True,
    decided: Decided = ignore_changes,
) -> UpResult:
    """Restart these services, or all, and with `dependents` those that depend on them. Waits until all are ready.

    Units that no longer match the spec are updated instead, as by `up`. `decided` is called with the changes before the
    first one is made.
    """
    session = Session(project, target, services=services)
    with session.locked():
        session.include_existing()
        return bring_up(session, decided=decided, request=partial(_existing, dependents=dependents))


def _existing(session: Session, observed: Observed, *, dependents: bool) -> UpRequest:
    """The existing units among those to restart. EnvctlError if none exists, or if a named one does not."""
    plan, names = session.desired_plan, session.services
    for unit in session.select(names).units:
        if unit.service in names and unit.kind is Kind.TASK:
            raise UsageError(
                f"{unit.service} is a task, which runs once and ends",
                hint=f"`envctl run {session.target} {unit.service}` runs it again",
            )
    for name in names:
        require_existing(session, name, observed)
    forced = restarts(plan, observed, names, dependents=dependents)
    if not forced:
        raise nothing_up(session, f"{session.target.environment} is not up")
    units = tuple(unit for unit in plan.units if unit.name in forced)
    return UpRequest(replace(plan, units=units), forced=forced)
