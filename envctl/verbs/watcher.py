"""`watch`: update running units when files of the project are saved."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from envctl.backends.base import CopiesFiles
from envctl.definition.stage_names import all_steps
from envctl.errors import EnvctlError
from envctl.files.saved_files import SavedFiles, Watched, without_ignored
from envctl.lazy_dataclass import dataclass
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Build, CopyFiles, DockerfileBuild, Kind, Plan, ReadyImage, Unit
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.reconcile import executor, synced_files
from envctl.reconcile.live_code import (
    LiveDecision,
    Reaction,
    after_sync,
    decide,
    is_spec,
    known,
    live_files,
    owner_in,
    restarting,
)
from envctl.reconcile.live_routes import Route, routes
from envctl.session import Session
from envctl.verbs.port_holders import explained
from envctl.verbs.results import Decided, ignore_changes
from envctl.verbs.running_units import nothing_up, require_names
from envctl.verbs.supported import unsupported
from envctl.verbs.sync_files import Ids, pack_files, read_ids, remove_files
from envctl.verbs.up import UpRequest, bring_up

_FOLDER: Final = "folder"


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """What happened to a unit: "synced", "restarted", "rebuilt", "waits" or "failed"; `unit` is "" for the spec.

    `paths` are the unit's files that were updated or removed, or the project's files that caused a restart.
    """

    unit: str
    what: str
    paths: tuple[str, ...] = ()
    cause: str = ""
    seconds: float = 0.0
    hint: str = ""


def watch(
    project: Project,
    target: Target,
    services: Sequence[str] = (),
    *,
    decided: Decided = ignore_changes,
) -> Iterator[WatchOutcome | None]:
    """Yield what is done as files are saved, without end; None when all running units have the project's files.

    `decided` is called with the changes of a rebuild before the first one is made.
    """
    saved = SavedFiles(project.root)
    watcher = Watcher(project, target, services, decided=decided)
    saved.watched = watcher.watched()
    for batch in saved.batches():
        yield from watcher.react(batch)
        saved.watched = watcher.watched()
        if not batch:
            yield None


class Watcher:
    """Reacts to saved files. Reads the spec and plans again each time."""

    def __init__(
        self,
        project: Project,
        target: Target,
        services: Sequence[str] = (),
        *,
        decided: Decided = ignore_changes,
    ) -> None:
        self._project = project
        self._target = target
        self._services = tuple(services)
        self._decided = decided
        self._ids: dict[str, Ids] = {}
        self._watched = Watched()
        session = self._session()
        self._watched = _watched(session)
        observed = session.backend.observe()
        require_names(session, observed, services)
        if not observed.units:
            raise nothing_up(session, f"{target.environment} is not up")

    def watched(self) -> Watched:
        """The files and folders whose changes matter."""
        return self._watched

    def react(self, changed: Collection[str]) -> Iterator[WatchOutcome]:
        """Update units for these paths of the project, and for all other changes that the units do not have yet."""
        session = self._session()
        try:
            self._watched = _watched(session)
            with session.locked():
                yield from _Round(session, self._decided, self._ids).react(changed)
        except EnvctlError as error:
            yield _failed("", error)
        finally:
            session.backend.close()

    def _session(self) -> Session:
        return Session(self._project.anew(), self._target, services=self._services)


class _Round:
    """One reaction to changes, while no other run can change the environment."""

    def __init__(self, session: Session, decided: Decided, ids: dict[str, Ids]) -> None:
        self._session = session
        self._decided = decided
        self._ids = ids
        root = session.project.root
        self._known = dict(synced_files.load(root, session.id))
        self._units = [unit for unit in session.plan.units if _is_watched(unit, session)]

    def react(self, changed: Collection[str]) -> Iterator[WatchOutcome]:
        if any(map(is_spec, changed)):
            cause = f"the spec has changed: `envctl up {self._session.target}` applies it"
            yield WatchOutcome("", "waits", cause=cause)
        observed = self._session.observe()
        saved = without_ignored(self._session.project.root, changed)
        decisions = {
            unit.name: decide(
                unit, observed.units.get(unit.name), self._known.get(unit.name), changed=saved
            )
            for unit in self._units
            if unit.name in observed.units
        }
        yield from self._sync(decisions)
        self._remember(decisions, observed)
        yield from self._rebuild(decisions)
        yield from self._restart(decisions, observed, saved)

    def _sync(self, decisions: dict[str, LiveDecision]) -> Iterator[WatchOutcome]:
        """Copy files into units. A unit that cannot take them is rebuilt."""
        for unit in self._units:
            decision = decisions.get(unit.name)
            if decision is None or decision.reaction is not Reaction.SYNC:
                continue
            started = time.monotonic()
            try:
                self._write(unit, decision)
            except EnvctlError as error:
                decisions[unit.name] = LiveDecision(unit.name, Reaction.REBUILD, cause=error.brief)
                continue
            self._known[unit.name] = after_sync(unit, self._known[unit.name], decision)
            paths = (*decision.put, *decision.remove)
            yield WatchOutcome(unit.name, "synced", paths, seconds=time.monotonic() - started)

    def _write(self, unit: Unit, decision: LiveDecision) -> None:
        backend, root = self._session.backend, self._session.project.root
        if not isinstance(backend, CopiesFiles):
            raise unsupported(backend, "watch")
        before = self._known[unit.name]
        removed = {path: owner_in(before.files[path]) for path in decision.remove}
        folders = {
            path: owner for path, owner in removed.items() if before.files[path].startswith(_FOLDER)
        }
        files_removed = {path: owner for path, owner in removed.items() if path not in folders}
        if decision.put:
            if before.id not in self._ids:
                self._ids[before.id] = read_ids(backend, unit.name)
            files = live_files(unit)
            with pack_files(root, files, decision.put, self._ids[before.id]) as archive:
                backend.unpack(unit.name, "/", archive)  # type: ignore[arg-type]  # it has all methods of a file
        remove_files(backend, unit.name, files_removed, folders=False)
        remove_files(backend, unit.name, folders, folders=True)

    def _remember(self, decisions: Mapping[str, LiveDecision], observed: Observed) -> None:
        """Record which units have the project's files."""
        before = synced_files.load(self._session.project.root, self._session.id)
        for unit in self._units:
            decision, state = decisions.get(unit.name), observed.units.get(unit.name)
            if state is None or decision is None or isinstance(unit.source, ReadyImage):
                continue
            files = self._known.get(unit.name)
            if decision.reaction is Reaction.NOTHING and (files is None or files.id != state.id):
                self._known[unit.name] = known(unit, state.id)
        if self._known != before:
            synced_files.save(self._session.project.root, self._session.id, self._known)

    def _rebuild(self, decisions: Mapping[str, LiveDecision]) -> Iterator[WatchOutcome]:
        """Rebuild units, together with what they need."""
        for name, decision in decisions.items():
            if decision.reaction is Reaction.SPEC:
                yield WatchOutcome(name, "waits", cause=decision.cause)
        names = [
            name for name, decision in decisions.items() if decision.reaction is Reaction.REBUILD
        ]
        if not names:
            return
        started = time.monotonic()
        try:
            bring_up(self._session, decided=self._decided, request=partial(_only, names=names))
        except EnvctlError as error:
            yield _failed(", ".join(names), error)
            return
        finally:
            observed = self._session.observe()
            remembered = {
                name: LiveDecision(name)
                for name in names
                if _is_made(self._session.plan, name, observed)
            }
            self._remember(remembered, observed)
        for name in names:
            seconds = time.monotonic() - started
            yield WatchOutcome(name, "rebuilt", cause=decisions[name].cause, seconds=seconds)

    def _restart(
        self, decisions: Mapping[str, LiveDecision], observed: Observed, changed: Collection[str]
    ) -> Iterator[WatchOutcome]:
        """Restart processes, and wait until they are ready."""
        names = {
            name
            for name, decision in decisions.items()
            if decision.restart and decision.reaction in (Reaction.NOTHING, Reaction.SYNC)
        }
        if not names:
            return
        plan = self._session.desired_plan
        units = tuple(unit for unit in plan.units if unit.name in names)
        cause = because("a file of its `restart_on` has changed")
        changes = [Change(Action.RESTART, unit.name, cause, unit) for unit in units]
        started, session = time.monotonic(), self._session
        try:
            executor.bring_up(
                changes,
                replace(plan, units=units),
                session.backend,
                session.report,
                observed=observed,
                mask=session.store.masked,
                explain=partial(explained, session),
            )
        except EnvctlError as error:
            yield _failed(", ".join(sorted(names)), error)
            return
        for unit in units:
            paths = restarting(unit, sorted(changed))
            yield WatchOutcome(unit.name, "restarted", paths, seconds=time.monotonic() - started)


def explain(project: Project, target: Target, services: Sequence[str] = ()) -> Sequence[Route]:
    """What a change of each of the project's files leads to."""
    session = Session(project, target, services=services)
    units = (unit for unit in session.plan.units if _is_watched(unit, session))
    return tuple(route for unit in units if unit.replica == 1 for route in routes(unit))


def _failed(unit: str, error: EnvctlError) -> WatchOutcome:
    return WatchOutcome(unit, "failed", cause=error.brief, hint=error.hint or "")


def _is_watched(unit: Unit, session: Session) -> bool:
    """Whether saved files are brought into a unit. A task has ended; only `up` runs it again."""
    return unit.kind is Kind.SERVICE and (not session.services or unit.service in session.services)


def _only(session: Session, _observed: Observed, *, names: Collection[str]) -> UpRequest:
    plan = session.desired_plan
    return UpRequest(replace(plan, units=tuple(unit for unit in plan.units if unit.name in names)))


def _is_made(plan: Plan, name: str, observed: Observed) -> bool:
    """Whether a unit was created from the plan's build."""
    source, state = plan.unit(name).source, observed.units.get(name)
    return not isinstance(source, ReadyImage) and state is not None and state.build == source.digest


def _watched(session: Session) -> Watched:
    """The files of the project that the plan's units use, and those of the spec."""
    root = session.project.root
    paths = {"envctl.yaml", "environments"}
    for unit in session.plan.units:
        if not _is_watched(unit, session):
            continue
        paths.update(unit.restart_on)
        if isinstance(unit.source, DockerfileBuild):
            paths.update((unit.source.tree.origin, unit.source.dockerfile))
        if isinstance(unit.source, Build):
            paths.update(
                step.tree.origin for step in unit.source.all_steps if isinstance(step, CopyFiles)
            )
            paths.update(_templates(session, unit.service))
    return Watched.of(root, paths)


def _templates(session: Session, service: str) -> Iterator[str]:
    """The source files of a service's `template` steps."""
    resolved = session.resolved
    for step in all_steps(resolved.data["services"][service]) if resolved else ():
        if step["step"] == "template":
            yield step["source"]
