"""`build`: build images and boxes without touching running units."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envctl.host.private_state import refuse_foreign_state
from envctl.plan.changes import Change
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile import compare
from envctl.reconcile.executor import apply_changes
from envctl.session import Session
from envctl.verbs.results import Decided, ignore_changes
from envctl.verbs.up import have_bases


def build(
    project: Project,
    target: Target,
    *,
    services: Sequence[str] = (),
    decided: Decided = ignore_changes,
) -> tuple[Change, ...]:
    """Build what is missing for these services, or for all. Returns the builds that were made."""
    session = Session(project, target, services=services)
    with session.locked():
        refuse_foreign_state(project.root, target.environment)
        session.require_approval()
        session.backend.check()
        session.secrets.generate()
        units = session.select(services).units
        names = {unit.name for unit in units if not services or unit.service in services}
        return make_builds(session, names, decided=decided)


def make_builds(
    session: Session, units: Collection[str], *, decided: Decided = ignore_changes
) -> tuple[Change, ...]:
    """Build what is missing for these units, in a session that holds the lock of its target."""
    observed = session.observe()
    changes = tuple(compare.builds(session.desired_plan, units, observed))
    decided(changes)
    session.secrets.require_for_builds(changes)
    have_bases(session, changes)
    apply_changes(
        changes, session.backend, session.report, observed=observed, mask=session.store.masked
    )
    return changes
