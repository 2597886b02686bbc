"""The verbs: each a short list of stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from envctl import definition
from envctl.backends.base import KeepsImages, NotRunningError
from envctl.definition.loader import SpecLoader
from envctl.definition.names import no_environments
from envctl.errors import EnvctlError, Problem, SpecError
from envctl.host.ca_bundle import bundle
from envctl.host.private_state import (
    likely_folder,
    private_folder,
    refuse_foreign_state,
    state_path,
)
from envctl.host.run_lock import exclusive
from envctl.plan.target import DEFAULT_BACKEND, Target
from envctl.progress import Progress, Report, Stage, no_progress
from envctl.session import Session
from envctl.trust.approval import Ask, nobody

if TYPE_CHECKING:
    from envctl.backends.base import Execution, LogLine
    from envctl.definition.differences import Difference as SpecDifference
    from envctl.definition.resolved import Resolved
    from envctl.lock.frozen import FrozenBuilds
    from envctl.lock.lock_differences import LockDifference
    from envctl.lock.model import Lock
    from envctl.parity.drift.verification import Verification
    from envctl.parity.facts import Facts
    from envctl.plan.artifact import Artifact
    from envctl.plan.changes import Change
    from envctl.plan.model import Plan
    from envctl.plan.scope import FoundEnvironment
    from envctl.plan.state import Observed
    from envctl.planner.planned_services import PlannedServices
    from envctl.planner.service_context import PackageSets
    from envctl.render import Content, Templates
    from envctl.trust.host_access import Reach
    from envctl.verbs.results import BuildPair, Decided, Decision, UpResult
    from envctl.verbs.status import Row


def ignore_changes(_changes: Sequence[Change]) -> None:
    """Nobody wants to know what was decided."""


def ignored(_plan: Plan) -> None:
    """Nobody wants to know of a plan."""


class Project:
    """A project's folder and the options of one run; each method is a verb of the command line."""

    def __init__(
        self,
        root: Path,
        *,
        environ: Mapping[str, str],
        sets: Mapping[str, str] | None = None,
        report: Report = no_progress,
        free_ports: bool = False,
        ask: Ask = nobody,
        loader: SpecLoader | None = None,
    ) -> None:
        self.root = root
        self.environ = environ
        self.sets = sets or {}
        self.loader = loader or SpecLoader(root, sets=self.sets, environ=environ)
        self.report = report
        self.free_ports = free_ports
        """Whether what is brought up takes ports of the host that are free, whatever the spec says."""
        self.ask = ask
        """Asks the user whether the project may reach what it wants of this host."""
        self.shared: PlannedServices | None = None
        """What the services came to, where all environments are looked at in one go.

        Then each is resolved from the files: they share what they have in common, and nothing is kept of each.
        """

    def on_free_ports(self) -> Project:
        """The same, but that what is brought up takes ports of the host that are free."""
        return Project(
            self.root,
            environ=self.environ,
            sets=self.sets,
            report=self.report,
            free_ports=True,
            ask=self.ask,
            loader=self.loader,
        )

    def open(self, target: Target, *, allow_invalid_spec: bool = False) -> Session:
        """A target in this run. With `allow_invalid_spec` the spec may be broken, or have it no more."""
        session = Session(self, target, allow_invalid_spec=allow_invalid_spec)
        if allow_invalid_spec:
            session.require_known()
        return session

    def open_any(self, target: Target) -> Session:
        """The same, though nobody may know of the environment."""
        return Session(self, target, allow_invalid_spec=True)

    def locked(self, session: Session) -> AbstractContextManager[None]:
        """Have a target to oneself."""
        return exclusive(likely_folder(self.root, "locks"), session.id, self.report)

    # --- the spec

    def environments(self) -> tuple[str, ...]:
        """The names of the project's environments."""
        return self.loader.environments

    def resolved(self, environment: str, *, without_files: bool = False) -> Resolved:
        """The resolved spec of one environment; with `without_files` builds may lack files of the project."""
        return self.loader.load(environment, without_files=without_files, cache=self.shared is None)

    @cached_property
    def package_sets(self) -> PackageSets:
        """The package sets of all services of all environments, as they were when first asked for."""
        return self.loader.package_sets(cache=self.shared is None)

    @cached_property
    def alike(self) -> Mapping[str, None]:
        """The environments that are known to mount and install the same, as they were when first asked for."""
        return self.loader.alike

    def validate(
        self, environments: Sequence[str] = (), *, planned: Callable[[Plan], None] = ignored
    ) -> tuple[str, ...]:
        """Check these environments, or all, down to what their backends can do; SpecError if any is wrong.

        `planned` is told each plan.
        """
        problems: dict[Problem, None] = {}
        names = tuple(environments) or self.environments()
        if not names:
            definition.load_base(self.root, sets=self.sets, environ=self.environ)
            raise no_environments(self.root)
        if len(names) > 1:
            from envctl.planner.planned_services import PlannedServices

            self.shared = PlannedServices()
        accepting = False
        for name in names:
            session = self.open(Target.parse(name))
            try:
                planned(session.plan)
                accepting |= bool(session.resolved and session.resolved.data["accept"])
            except SpecError as error:
                problems.update(dict.fromkeys(error.problems))
                accepting = True
        if accepting:
            every = [Target.parse(name).environment for name in names]
            problems.update(dict.fromkeys(self.misnamed(every)))
        if problems:
            raise SpecError(tuple(problems))
        return names

    def misnamed(
        self, environments: Iterable[str], *, also: Iterable[str] = ()
    ) -> Sequence[Problem]:
        """What these environments accept of units that there are not, if it is known what units there are."""
        from envctl.verbs.verify import misnamed

        try:
            specs = {name: self.resolved(name) for name in self.environments()}
        except EnvctlError:
            return ()
        return misnamed(specs, environments, also=also)

    # --- deciding

    def plan(self, target: Target) -> Plan:
        """The plan of a target; no engine is asked, no value of a secret looked at."""
        return self.open(target).plan

    def changes(self, target: Target) -> tuple[Plan, tuple[Change, ...]]:
        """What `up` would do now."""
        decision = self.decided(target)
        return decision.plan, decision.changes

    def decided(self, target: Target) -> Decision:
        """What `up` would do now, and what is worth knowing of that."""
        from envctl.verbs.results import Decision
        from envctl.verbs.running_units import tell_lost

        session = self.open(target)
        observed = session.observe()
        tell_lost(session, observed)
        return Decision(
            session.desired_plan,
            session.changes(observed),
            session.volume_notes(observed),
            session.unapproved,
        )

    def diff(
        self, before: Target, after: Target
    ) -> tuple[tuple[SpecDifference, ...], Mapping[str, BuildPair]]:
        """What two targets' specs differ in, and by unit whether they run the same build; no engine is asked."""
        from envctl.definition.differences import differences
        from envctl.verbs.results import BuildPair

        sides = [self.open(target) for target in (before, after)]
        specs = [
            self.resolved(target.environment).on_backend(target.backend)
            for target in (before, after)
        ]
        left, right = ({unit.name: unit.source for unit in one.plan.units} for one in sides)
        builds = {
            name: BuildPair.of(left.get(name), right.get(name))
            for name in dict.fromkeys([*left, *right])
        }
        return differences(*specs), builds

    def render(self, target: Target, *, host_ca: bool = False) -> Mapping[str, Content]:
        """The files of the rendered folder; with `host_ca`, builds from it trust this host's CA bundle."""
        from envctl.render import render

        return render(self._artifacts(target, host_ca), templates=self.templates)

    def write_render(
        self,
        target: Target,
        folder: Path,
        *,
        host_ca: bool = False,
        planned: Callable[[Plan], None] = ignored,
    ) -> tuple[Mapping[str, Content], Sequence[str]]:
        """Write the rendered folder; its files, and what is to be said of its disk. `planned` is told what of."""
        from envctl.render import modes, render, write

        artifacts = self._artifacts(target, host_ca, planned)
        files = render(artifacts, templates=self.templates)
        return files, write(files, folder, root=self.root, modes=modes(artifacts))

    def reaches(self, target: Target) -> tuple[tuple[Reach, ...], tuple[Reach, ...]]:
        """What bringing a target up would run, read or show of this host; and what of that is not allowed yet."""
        session = self.open(target)
        return session.reaches, session.unapproved

    # --- doing

    def up(
        self,
        target: Target,
        *,
        services: Sequence[str] = (),
        decided: Decided = ignore_changes,
        frozen: bool = False,
        offline: bool = False,
    ) -> UpResult:
        """Bring an environment up, or what of it these services need; waits until all is ready.

        `decided` is told the changes before the first is made. With `frozen`, all is built as it is locked, and
        nothing is changed if it comes out otherwise; with `offline`, of what is kept in the project alone.
        """
        session = self.open(target)
        session.services = tuple(services)
        kept = self._frozen(session, services, offline=offline) if frozen else None
        with self.locked(session):
            return self.bring_up(session, services, decided=decided, kept=kept)

    def bring_up(
        self,
        session: Session,
        services: Sequence[str] = (),
        *,
        decided: Decided = ignore_changes,
        kept: FrozenBuilds | None = None,
    ) -> UpResult:
        """`up` of what is locked already."""
        from envctl.reconcile.executor import bring_up
        from envctl.verbs.port_holders import explained
        from envctl.verbs.results import UpResult
        from envctl.verbs.running_units import tell_lost

        refuse_foreign_state(self.root, session.target.environment)
        session.require_approval()
        session.backend.check()
        session.make_secrets()
        observed = session.observe()
        plan = session.select(services)
        changes = _only(session.changes(observed), plan, services)
        _require_handed_over(changes, observed, session.desired_plan)
        tell_lost(session, observed)
        decided(changes)
        for note in session.volume_notes(observed) if changes else ():
            self.report(Progress(note.volume, Stage.NOTE, note.text))
        if kept and kept.prepare({unit.service for unit in plan.units}):
            observed = session.observe()
            said = {(change.action, change.unit) for change in changes}
            changes = _only(session.changes(observed), plan, services)
            if {(change.action, change.unit) for change in changes} - said:
                decided(changes)
        session.require_build_secrets(changes)
        plan = _with_changed(plan, changes, session.desired_plan)
        self._bases(session, changes)
        seen = bring_up(
            changes,
            plan,
            session.backend,
            session.report,
            observed=observed,
            mask=session.store.masked,
            explain=partial(explained, session),
        )
        return UpResult(
            plan,
            changes,
            _addresses(seen),
            simulated=not session.backend.capabilities.executes,
        )

    def down(
        self, target: Target, *, volumes: bool = False, decided: Decided = ignore_changes
    ) -> tuple[Change, ...]:
        """Take an environment down; its data only with `volumes`.

        It need not be in the spec any more, and a spec that is broken does not hinder it.
        """
        session = self.open(target, allow_invalid_spec=True)
        with self.locked(session):
            return self.take_down(session, volumes=volumes, decided=decided)

    def take_down(
        self, session: Session, *, volumes: bool, decided: Decided = ignore_changes
    ) -> tuple[Change, ...]:
        """`down` of what is locked already."""
        from envctl.reconcile import compare
        from envctl.reconcile.executor import apply_changes
        from envctl.verbs.running_units import tell_lost

        session.backend.check()
        observed = session.observe()
        changes = compare.down(observed, volumes=volumes, plan=session.plan_or_none)
        decided(changes)
        goes = volumes and (bool(changes) or session.store.is_releasing(session.backend.name))
        if goes:
            session.store.begin_release(session.backend.name)
        apply_changes(changes, session.backend, self.report, observed=observed)
        if not changes and not goes:
            tell_lost(session, observed)
        if goes:
            session.store.release(session.backend.name)
        else:
            self._tell_kept(session, observed, secrets=volumes)
        return changes

    def _tell_kept(self, session: Session, observed: Observed, *, secrets: bool) -> None:
        """Say what of an environment's data `down` leaves; of secrets if they were to go, and nothing was found."""
        from envctl.reconcile.volume_notes import kept_text

        if observed.volumes:
            self.report(Progress(session.id, Stage.NOTE, kept_text(observed.volumes)))
        if secrets and session.store.keeps_any():
            where = state_path(self.root, "secrets", session.target.environment)
            text = f"nothing of it was found, so its generated secrets stay: {where}"
            self.report(Progress(session.id, Stage.NOTE, text))

    def adopt(self, target: Target, *, force: bool = False, identity: str = "") -> FoundEnvironment:
        """Take over what was brought up of an environment from a folder that is gone; with `force`, from any.

        The whole checkout is taken over: all its environments, its keys and its generated secrets.
        """
        from envctl.verbs.adopt import adopt

        session = self.open(target)
        with exclusive(private_folder(self.root, "locks"), "adopt", self.report):
            _require_free(session)
            return adopt(
                session.backend, session.plan.scope, force=force, identity=identity,
                again=lambda: self.open(target).backend,
            )  # fmt: skip

    def lost(self, target: Target) -> tuple[str, ...]:
        """What is to be said of an environment of which nothing is found, but that is up from a folder that is gone."""
        from envctl.verbs.running_units import lost_texts

        return lost_texts(self.open(target, allow_invalid_spec=True))

    def stop(self, target: Target, *, decided: Decided = ignore_changes) -> tuple[Change, ...]:
        """Stop an environment's units and keep them."""
        from envctl.reconcile import compare
        from envctl.reconcile.executor import apply_changes
        from envctl.verbs.running_units import tell_lost

        session = self.open(target, allow_invalid_spec=True)
        with self.locked(session):
            session.backend.check()
            observed = session.observe()
            tell_lost(session, observed)
            changes = compare.stop(observed, plan=session.plan_or_none)
            decided(changes)
            apply_changes(changes, session.backend, self.report, observed=observed)
            return changes

    # --- locking

    def lock(
        self,
        environments: Sequence[str] = (),
        *,
        update: Sequence[str] | None = None,
        vendor: bool = False,
    ) -> tuple[Lock, tuple[LockDifference, ...]]:
        """Write what the builds of these environments, or of all, contain; the lock, and what changed.

        With `update` these services and bases, or all if it is empty, are rebuilt with the newest versions; with
        `vendor` the package files are kept.
        """
        from envctl.verbs.lock import lock

        with exclusive(private_folder(self.root, "locks"), "lock", self.report):
            return lock(
                self.root,
                self._image_sessions(environments),
                update=update,
                vendor=vendor,
                complete=not environments,
            )

    def check_lock(self, environments: Sequence[str] = ()) -> tuple[LockDifference, ...]:
        """The differences between the lock, the spec, and the images built here."""
        from envctl.verbs.lock import check_lock

        sessions = self._image_sessions(environments)
        return check_lock(self.root, sessions, complete=not environments)

    def _image_sessions(self, environments: Sequence[str]) -> Sequence[Session]:
        """Environments on a container engine: machines are made from the same images."""
        names = tuple(environments) or self.environments()
        if not names:
            raise no_environments(self.root)
        return [self.open(Target(name, DEFAULT_BACKEND)) for name in names]

    def _frozen(self, session: Session, services: Sequence[str], *, offline: bool) -> FrozenBuilds:
        from envctl.verbs.lock import freeze

        (image_session,) = self._image_sessions([session.target.environment])
        image_session.services = session.services
        frozen = freeze(self.root, session, image_session, offline=offline)
        frozen.require_same_spec({unit.service for unit in session.select(services).units})
        return frozen

    # --- looking

    def status(self, target: Target) -> tuple[Row, ...]:
        """The state of every unit there is or should be."""
        from envctl.verbs.status import rows_of

        return rows_of(self.open(target, allow_invalid_spec=True))

    def observed(self, target: Target) -> Observed:
        """What of a target is there, as its backend sees it."""
        return self.open(target, allow_invalid_spec=True).observe()

    def facts(self, target: Target) -> Facts:
        """What is true inside the units of a target that run. EnvctlError if none does."""
        from envctl.verbs.verify import facts

        return facts(self.open(target))

    def verify(self, target: Target) -> Verification:
        """What is so of a target, held against its spec; the spec's own checks, run inside."""
        from envctl.verbs.verify import verify

        return verify(self.open(target))

    def exec(self, target: Target, unit: str, execution: Execution) -> int:
        """Run a command in a running unit; its exit code."""
        session = self.open(target, allow_invalid_spec=True)
        try:
            return session.backend.exec(unit, execution)
        except NotRunningError:
            from envctl.verbs.running_units import require_running

            # Now it is worth a look at what there is instead.
            require_running(session, unit)
            raise

    def logs(
        self,
        target: Target,
        services: Sequence[str] = (),
        *,
        follow: bool = False,
        tail: int | None = None,
    ) -> Iterator[LogLine]:
        """The log lines of these services or units, or of all."""
        from envctl.verbs.running_units import units_with_logs

        session = self.open(target, allow_invalid_spec=True)
        units = units_with_logs(session, services)
        yield from session.backend.logs(units, follow=follow, tail=tail)

    # --- parts

    @cached_property
    def templates(self) -> Templates:
        """The project's templates before ours."""
        from envctl.render import Templates

        return Templates(self.root)

    def _artifacts(
        self, target: Target, host_ca: bool, planned: Callable[[Plan], None] = ignored
    ) -> Sequence[Artifact]:
        session = self.open(target)
        planned(session.plan)
        trust = bundle(self.environ) if host_ca else None
        if host_ca and trust is None:
            raise EnvctlError(
                "this host has no CA bundle of its own",
                hint="leave --with-host-ca out, or name a bundle in ENVCTL_CA_BUNDLE",
            )
        return session.backend.artifacts(session.plan_with_image_volumes(), trust=trust)

    def _bases(self, session: Session, changes: Sequence[Change]) -> None:
        """Have the bases of all builds at hand before the first build starts."""
        from envctl.plan.changes import Action
        from envctl.plan.model import Build

        wanted = {
            change.target.base: None
            for change in changes
            if change.action is Action.BUILD and isinstance(change.target, Build)
        }
        backend = session.backend
        if not wanted or not isinstance(backend, KeepsImages):
            return
        from envctl.bases import ensure

        for base in wanted:
            ensure(base, backend.images, self.report)


def _require_free(session: Session) -> None:
    """EnvctlError, which says what is in the way, if a folder has something of an environment already."""
    there, name = session.observe(), session.id
    if there.units:
        raise EnvctlError(
            f"{name} is up from this folder, too: {', '.join(there.units)}",
            hint=f"`envctl down {name} --volumes` takes that down and deletes its data; then adopt the other",
        )
    if there.volumes:
        volumes = ", ".join(sorted(there.volumes))
        raise EnvctlError(
            f"{name} is not up, but this folder has data of it already: {volumes}",
            hint=f"`envctl down {name} --volumes` deletes that data; then adopt the other",
        )


def _require_handed_over(changes: Sequence[Change], observed: Observed, plan: Plan) -> None:
    """EnvctlError if a service that cannot be planned has what is to be another's."""
    from envctl.plan.handovers import stuck

    if found := stuck(changes, observed, plan):
        names = ", ".join(plan.left_out)
        raise EnvctlError(
            "; ".join(found), hint=f"{names} cannot be planned as it is: `envctl validate` says why"
        )


def _only(changes: tuple[Change, ...], plan: Plan, services: Sequence[str]) -> tuple[Change, ...]:
    """The changes of a plan that is for these services, if there are any."""
    if not services:
        return changes
    from envctl.reconcile import compare

    return compare.only(changes, frozenset(unit.name for unit in plan.units))


def _with_changed(plan: Plan, changes: Sequence[Change], whole: Plan) -> Plan:
    """The plan of a selection, and of the units that are changed for it: they are waited for, too."""
    changed = {change.unit for change in changes if change.key == change.unit}
    names = changed | {unit.name for unit in plan.units}
    return replace(plan, units=tuple(unit for unit in whole.units if unit.name in names))


def _addresses(observed: Observed) -> Mapping[str, tuple[str, ...]]:
    return {name: unit.addresses for name, unit in observed.units.items() if unit.addresses}
