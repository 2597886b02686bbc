"""`up`: bring an environment up and wait until every unit is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from envctl.backends.base import KeepsImages
from envctl.errors import EnvctlError
from envctl.host.private_state import refuse_foreign_state
from envctl.lazy_dataclass import dataclass
from envctl.plan.change_order import stuck
from envctl.plan.changes import Action, Change
from envctl.plan.model import Base, Build, Plan
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.reconcile import compare, executor
from envctl.reconcile.forced_changes import Forced, recreations
from envctl.reconcile.volume_notes import backend_notes
from envctl.session import Session
from envctl.verbs.choose_ports import choose_ports, use_free_ports
from envctl.verbs.port_holders import explained
from envctl.verbs.results import Decided, UpResult, ignore_changes
from envctl.verbs.running_units import tell_lost

if TYPE_CHECKING:
    from envctl.lock.frozen import FrozenBuilds


def up(
    project: Project,
    target: Target,
    *,
    services: Sequence[str] = (),
    decided: Decided = ignore_changes,
    frozen: bool = False,
    offline: bool = False,
    recreate: bool = False,
    free_ports: bool | None = None,
) -> UpResult:
    """Bring up an environment, or these services with their dependencies, and wait until every unit is ready.

    `decided` is called with the changes before the first one is made. With `frozen`, everything is built as locked, and
    nothing changes if a build differs; with `offline`, only from files vendored in the project. With `recreate`, these
    services, or all, are replaced even if they match the spec. `free_ports` sets whether the target takes free ports in
    this checkout from now on, despite the spec; None keeps the previous choice.
    """
    session = Session(project, target, services=services)
    builds: FrozenBuilds | None = None
    if frozen:
        # Most runs of `up` do not use the lock.
        from envctl.verbs.lock import freeze

        session, builds = freeze(session, offline=offline)
    with session.locked():
        if free_ports is not None:
            use_free_ports(session, enabled=free_ports)
        return bring_up(
            session, decided=decided, frozen=builds, request=_anew if recreate else _as_planned
        )


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What must be up: the units of `plan`, which are all units if `whole`. Units in `forced` change in any case."""

    plan: Plan
    whole: bool = False
    forced: Forced = field(default_factory=dict)


def _as_planned(session: Session, _observed: Observed) -> UpRequest:
    return UpRequest(session.select(session.services), whole=not session.services)


def _anew(session: Session, observed: Observed) -> UpRequest:
    request = _as_planned(session, observed)
    return replace(request, forced=recreations(request.plan, session.services))


def bring_up(
    session: Session,
    *,
    decided: Decided = ignore_changes,
    frozen: FrozenBuilds | None = None,
    request: Callable[[Session, Observed], UpRequest] = _as_planned,
) -> UpResult:
    """`up` for a session that holds the lock of its target. `request` decides from the observed state what must be up."""
    refuse_foreign_state(session.project.root, session.target.environment)
    session.require_approval()
    session.backend.check()
    choose_ports(session)
    session.secrets.generate()
    desired, observed = session.desired_plan, session.observe()
    requested = request(session, observed)
    changes = _requested_changes(session, observed, requested)
    _require_handed_over(changes, observed, desired)
    tell_lost(session, observed)
    decided(changes)
    _note_volumes(session, observed, changes)

    services = {unit.service for unit in requested.plan.units}
    if frozen and frozen.prepare(services, session.backend):
        observed = session.observe()
        before, changes = changes, _requested_changes(session, observed, requested)
        if _keys(changes) - _keys(before):
            decided(changes)

    session.secrets.require_for_builds(changes)
    have_bases(session, changes)
    plan = _with_changed(requested.plan, changes, desired)
    observed = executor.bring_up(
        changes,
        plan,
        session.backend,
        session.report,
        observed=observed,
        mask=session.store.masked,
        explain=partial(explained, session),
    )
    simulated = not session.backend.capabilities.executes
    return UpResult(plan, changes, _addresses(observed), simulated=simulated)


def _requested_changes(
    session: Session, observed: Observed, request: UpRequest
) -> tuple[Change, ...]:
    """The changes that the request requires."""
    changes = session.changes(observed, request.forced)
    if request.whole:
        return changes
    return compare.only(changes, frozenset(unit.name for unit in request.plan.units))


def _keys(changes: Sequence[Change]) -> set[tuple[Action, str]]:
    return {(change.action, change.unit) for change in changes}


def _require_handed_over(changes: Sequence[Change], observed: Observed, plan: Plan) -> None:
    """EnvctlError if a port or volume must move to another service from one that cannot be planned."""
    if messages := stuck(changes, observed, plan):
        names = ", ".join(plan.left_out)
        raise EnvctlError(
            "; ".join(messages),
            hint=f"{names} cannot be planned as it is: `envctl validate` says why",
        )


def _note_volumes(session: Session, observed: Observed, changes: Sequence[Change]) -> None:
    if not changes:
        return
    for note in backend_notes(session.backend, session.plan, observed):
        session.project.report(Progress(note.volume, Stage.NOTE, note.text))


def have_bases(session: Session, changes: Sequence[Change]) -> None:
    """Make the bases of all builds available before the first build starts."""
    bases: dict[Base, None] = {
        base: None
        for change in changes
        if change.action is Action.BUILD and isinstance(change.target, Build)
        for base in change.target.bases
    }
    backend = session.backend
    if not bases or not isinstance(backend, KeepsImages):
        return
    from envctl.bases import ensure

    for base in bases:
        ensure(base, backend.images, session.project.report)


def _with_changed(selected: Plan, changes: Sequence[Change], desired: Plan) -> Plan:
    """The selected plan, plus units that change because of it, because `up` waits for those, too."""
    changed = {change.unit for change in changes if change.key == change.unit}
    names = changed | {unit.name for unit in selected.units}
    return replace(selected, units=tuple(unit for unit in desired.units if unit.name in names))


def _addresses(observed: Observed) -> Mapping[str, tuple[str, ...]]:
    return {name: unit.addresses for name, unit in observed.units.items() if unit.addresses}
