"""`down`: take an environment down."""

from __future__ import annotations

from envctl.host.private_state import state_path
from envctl.plan.changes import Change
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.reconcile import compare
from envctl.reconcile.executor import apply_changes
from envctl.reconcile.volume_notes import kept_text
from envctl.session import Session
from envctl.verbs.results import Decided, ignore_changes
from envctl.verbs.running_units import tell_lost


def down(
    project: Project,
    target: Target,
    *,
    volumes: bool = False,
    decided: Decided = ignore_changes,
) -> tuple[Change, ...]:
    """Take an environment down; its data only with `volumes`. `decided` is called before the first change.

    It need not be in the spec any more, and a spec that is broken does not hinder it.
    """
    session = Session.of_existing(project, target)
    with session.locked():
        return take_down(session, volumes=volumes, decided=decided)


def take_down(
    session: Session, *, volumes: bool, decided: Decided = ignore_changes
) -> tuple[Change, ...]:
    """`down` of a session that has its target to itself."""
    backend, store = session.backend, session.store
    backend.check()
    observed = session.observe()
    changes = compare.down(observed, volumes=volumes, plan=session.plan_or_none)
    decided(changes)
    releasing = volumes and (bool(changes) or store.is_releasing(backend.name))
    if releasing:
        store.begin_release(backend.name)
    apply_changes(changes, backend, session.project.report, observed=observed)
    if not changes and not releasing:
        tell_lost(session, observed)
    if releasing:
        store.release(backend.name)
    else:
        _note_kept(session, observed, secrets=volumes)
    return changes


def _note_kept(session: Session, observed: Observed, *, secrets: bool) -> None:
    """Say what of an environment's data stays; of secrets if they were to go, and nothing was found."""
    report = session.project.report
    if observed.volumes:
        report(Progress(session.id, Stage.NOTE, kept_text(observed.volumes)))
    if secrets and session.store.keeps_any():
        where = state_path(session.project.root, "secrets", session.target.environment)
        text = f"nothing of it was found, so its generated secrets stay: {where}"
        report(Progress(session.id, Stage.NOTE, text))
