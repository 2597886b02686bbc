"""`stop`: stop an environment's units without removing them."""

from __future__ import annotations

from collections.abc import Sequence

from envctl.plan.changes import Change
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile import compare
from envctl.reconcile.executor import apply_changes
from envctl.session import Session
from envctl.verbs.results import Decided, ignore_changes
from envctl.verbs.running_units import named_units, tell_lost


def stop(
    project: Project,
    target: Target,
    *,
    services: Sequence[str] = (),
    decided: Decided = ignore_changes,
) -> tuple[Change, ...]:
    """Stop an environment's units, or those of these services. `decided` is called before the first one stops."""
    session = Session.of_existing(project, target)
    with session.locked():
        session.backend.check()
        observed = session.observe()
        tell_lost(session, observed)
        units = named_units(session, observed, services)
        changes = compare.stop(observed, plan=session.plan_or_none, units=units)
        decided(changes)
        apply_changes(changes, session.backend, project.report, observed=observed)
        return changes
