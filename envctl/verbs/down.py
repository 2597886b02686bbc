"""`down`: take an environment down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envctl.backends.base import KeepsVolumes
from envctl.errors import EnvctlError
from envctl.host.private_state import state_path
from envctl.plan.changes import Change
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.reconcile import compare
from envctl.reconcile.down_summary import down_summary
from envctl.reconcile.executor import apply_changes
from envctl.session import Session
from envctl.verbs.results import Decided, ignore_changes
from envctl.verbs.running_units import named_units, tell_lost


def down(
    project: Project,
    target: Target,
    *,
    services: Sequence[str] = (),
    volumes: bool = False,
    decided: Decided = ignore_changes,
) -> tuple[Change, ...]:
    """Take down an environment, or some of its services. Deletes its data only with `volumes`, which excludes services.

    `decided` is called before the first change. The environment may be missing from the spec, and the spec may be
    broken.
    """
    session = Session.of_existing(project, target)
    with session.locked():
        if services:
            return _remove_services(session, services, decided)
        return take_down(session, volumes=volumes, decided=decided)


def _remove_services(
    session: Session, services: Sequence[str], decided: Decided
) -> tuple[Change, ...]:
    session.backend.check()
    observed = session.observe()
    units = named_units(session, observed, services)
    plan = session.plan_or_none
    changes = compare.remove(observed, units, plan=plan, cause="it is taken down")
    decided(changes)
    apply_changes(changes, session.backend, session.project.report, observed=observed)
    return changes


def take_down(
    session: Session, *, volumes: bool, decided: Decided = ignore_changes
) -> tuple[Change, ...]:
    """`down` for a session that holds the lock of its target."""
    backend, store = session.backend, session.store
    backend.check()
    observed = session.observe()
    changes = compare.down(observed, volumes=volumes, plan=session.plan_or_none)
    decided(changes)
    releasing = volumes and (bool(changes) or store.is_releasing(backend.name))
    if releasing:
        store.begin_release(backend.name)
    sizes, has_secrets = _sizes(session, observed), releasing and store.keeps_any()
    apply_changes(changes, backend, session.project.report, observed=observed)
    if not changes and not releasing:
        tell_lost(session, observed)
    if releasing:
        store.release(backend.name)
    elif volumes:
        _note_kept_secrets(session)
    if text := down_summary(changes, observed.volumes, sizes, secrets=has_secrets):
        session.project.report(Progress(session.id, Stage.NOTE, text))
    return changes


def _sizes(session: Session, observed: Observed) -> Mapping[str, int]:
    """The sizes of the environment's volumes, if the engine knows them."""
    backend = session.backend
    if not observed.volumes or not isinstance(backend, KeepsVolumes):
        return {}
    try:
        return backend.volume_sizes(observed.volumes)
    except EnvctlError:
        return {}


def _note_kept_secrets(session: Session) -> None:
    """Note that generated secrets are kept despite `--volumes`, because no units or volumes were found."""
    if session.store.keeps_any():
        where = state_path(session.project.root, "secrets", session.target.environment)
        text = f"no units or volumes were found, so the generated secrets are kept: {where}"
        session.project.report(Progress(session.id, Stage.NOTE, text))
