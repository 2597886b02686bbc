"""One target in one run of envctl: its plan, its backend, its secrets, and its observed state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl.backends import open_backend, open_engine, template_roles
from envctl.backends.base import Backend, Context, ImageEngine, LaysOutPlans
from envctl.errors import EnvctlError, Problem, SpecError
from envctl.host.ca_bundle import bundle
from envctl.host.checkout_id import home_of
from envctl.host.port_records import PortRecord, read_record
from envctl.host.private_state import existing_folder, likely_folder
from envctl.host.run_lock import exclusive, is_held
from envctl.plan.scope import Scope, make_scope
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.session.build_options import BuildOptions
from envctl.session.target_spec import TargetSpec

if TYPE_CHECKING:
    from envctl.definition.resolved import Resolved
    from envctl.plan.changes import Change
    from envctl.plan.model import Base, Build, Plan
    from envctl.plan.state import Observed
    from envctl.reconcile.forced_changes import Forced
    from envctl.secrets import SecretStore
    from envctl.secrets.plan_secrets import PlanSecrets
    from envctl.trust.session_access import SessionAccess


class Session:
    """One target in one run.

    `services` are the services that were asked for; () for all. With `allow_invalid_spec`, existing units can be
    handled even if the spec is broken or no longer has the environment. `resolved` replaces the project's spec.
    `same_as` is another session of the same target, whose spec, plan and secrets this one shares.
    """

    def __init__(
        self,
        project: Project,
        target: Target,
        *,
        services: Sequence[str] = (),
        allow_invalid_spec: bool = False,
        builds: BuildOptions | None = None,
        resolved: Resolved | None = None,
        same_as: Session | None = None,
    ) -> None:
        self.project = project
        self.target = target
        self.services = tuple(services)
        self.allow_invalid_spec = allow_invalid_spec
        self.builds = builds or BuildOptions()
        self._same_as = same_as
        self._existing: frozenset[str] = frozenset()
        self.spec: TargetSpec = (same_as and same_as.spec) or TargetSpec(
            project,
            target,
            allow_missing_files=bool(services),
            allow_invalid=allow_invalid_spec,
            instead=resolved,
        )
        self._noted_secrets: set[str] = set()

    @classmethod
    def of_existing(cls, project: Project, target: Target) -> Session:
        """A session for existing units, even with a broken spec. UsageError for an unknown environment."""
        session = cls(project, target, allow_invalid_spec=True)
        session.require_known()
        return session

    def with_builds(self, builds: BuildOptions) -> Session:
        """A session of the same target with these build options. It shares spec, plan and secrets, but not the backend."""
        return Session(
            self.project,
            self.target,
            services=self.services,
            allow_invalid_spec=self.allow_invalid_spec,
            builds=builds,
            same_as=self,
        )

    def locked(self) -> AbstractContextManager[None]:
        """Lock the target, so that no other run can change it."""
        return exclusive(likely_folder(self.project.root, "locks"), self.id, self.project.report)

    # --- the spec

    @property
    def resolved(self) -> Resolved | None:
        """The resolved spec; None only if an invalid spec is allowed, and the spec is broken or lacks the environment."""
        return self.spec.resolved

    def require_known(self) -> None:
        """Raise the UsageError for an unknown environment, unless it has resources on the engine."""
        unknown = self.spec.removed
        if unknown is None:
            return
        try:
            observed = self.backend.observe()
        except EnvctlError as error:
            raise unknown from error
        if not (observed.units or observed.volumes or observed.leftovers):
            raise unknown

    @property
    def id(self) -> str:
        """The environment with its backend, even if the user did not name the backend."""
        return f"{self.target.environment}@{self.backend.name}"

    @property
    def unknown_reason(self) -> str:
        """Why the desired state of this environment is unknown; "" if it is known."""
        if self.plan_or_none is not None:
            return ""
        if self.spec.removed is not None:
            return "the environment was removed from the spec"
        return "the spec has problems: envctl validate"

    # --- the backend

    @cached_property
    def scope(self) -> Scope:
        """The scope that owns the resources."""
        if self._same_as:
            return self._same_as.scope
        root, project = self.project.root, self.spec.text("project") or "unknown"
        return make_scope(project, self.target.environment, root, home=home_of(root))

    @cached_property
    def backend(self) -> Backend:
        """The backend, not yet connected."""
        declared = self.spec.text("backend")
        name = self.target.backend or declared or self.project.usual_backend()
        # Backends store files in this folder, too. No link may redirect it.
        existing_folder(self.project.root, name, self.target.environment)
        where = None if self.target.backend else self.spec.where("backend")
        return open_backend(name, self.context, where=where)

    @cached_property
    def context(self) -> Context:
        """The context that any backend gets for this environment."""
        return Context(
            self.scope,
            report=self.report,
            secret=self.builds.secret or self._secret,
            render=self._render,
            trust=bundle(self.project.environ),
            images=lambda: self.engine,
            have_base=self.have_base,
            bootstrap=self._bootstrap,
            template_digest=self._template_digest,
            build_inputs=self.builds.inputs,
            busy=self._is_busy,
        )

    @cached_property
    def engine(self) -> ImageEngine:
        """A container engine, for a backend that creates its machines from images."""
        return open_engine(self.context)

    def have_base(self, base: Base) -> None:
        """Make sure that the image of a base is on the engine."""
        from envctl.bases import ensure

        if self.builds.have_base is not None:
            self.builds.have_base(base)
        else:
            ensure(base, self.engine.images, self.report)

    def report(self, progress: Progress) -> None:
        """Report progress, without secrets that a program may have printed."""
        self.project.report(replace(progress, text=self.store.masked(progress.text)))

    def _is_busy(self) -> bool:
        """Whether a command is changing the environment now."""
        return is_held(likely_folder(self.project.root, "locks"), self.id)

    @cached_property
    def _template_digest(self) -> str:
        """A digest of the project's own templates for images."""
        from envctl.render.templates import own_templates_digest

        return own_templates_digest(self.project.root)

    def _bootstrap(self, build: Build, folder: Path) -> None:
        from envctl.bases.build_in_folder import bootstrap_build

        bootstrap_build(build, folder, self.report)

    def _secret(self, name: str) -> bytes:
        # Access the store late: it needs the spec, which a session without a spec does not have.
        return self.store.value(name)

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        backend, _, name = template.partition("/")
        roles = template_roles(backend)
        if roles and name in roles.on_host:
            # The result of this template runs as a program on this host.
            self.require_approval()
        return self.project.templates.render(template, values)

    # --- the plan

    @cached_property
    def plan(self) -> Plan:
        """The plan with this checkout's host ports. A port stays open until `up` chooses it."""
        from envctl.plan.host_ports import with_host_ports

        if self._same_as:
            return self._same_as.plan
        return self._laid_out(with_host_ports(self.spec_plan, self.port_record.chosen))

    @property
    def portable_plan(self) -> Plan:
        """The plan that is equal in every checkout."""
        from envctl.plan.host_ports import with_portable_references

        return self._laid_out(with_portable_references(self.spec_plan))

    def _laid_out(self, plan: Plan) -> Plan:
        return self.backend.lay_out(plan) if isinstance(self.backend, LaysOutPlans) else plan

    @cached_property
    def port_record(self) -> PortRecord:
        """The host ports of the target in this checkout."""
        return (
            self._same_as.port_record if self._same_as else read_record(self.project.root, self.id)
        )

    def use_ports(self, record: PortRecord) -> None:
        """Use these ports for the plan from now on."""
        if self._same_as:
            self._same_as.use_ports(record)
        self._forget_plan()
        self.port_record = record

    def include_existing(self, named: Sequence[str] = ()) -> None:
        """Also plan services without a chosen profile if they are named or exist, so that `status` shows them."""
        plan = self.plan_or_none
        if plan is None or not plan.inactive:
            return
        services = {unit.service for unit in self.backend.observe(plan).units.values()}
        self._existing = frozenset(plan.inactive) & {*services, *named}
        if self._existing:
            self.__dict__.pop("_checked_plan", None)
            self._forget_plan()

    def _forget_plan(self) -> None:
        for derived in ("spec_plan", "plan", "plan_or_none", "secrets"):
            self.__dict__.pop(derived, None)

    @cached_property
    def spec_plan(self) -> Plan:
        """The plan of the spec, checked against the backend's capabilities. SpecError if the spec cannot be planned.

        Does not read secrets, because looking at a project must not run its commands.
        """
        if self._same_as:
            return self._same_as.spec_plan
        plan = self._checked_plan
        if self.project.free_ports or self.port_record.free_ports:
            from envctl.plan.plan_changes import with_free_ports

            return with_free_ports(plan)
        return plan

    @cached_property
    def _checked_plan(self) -> Plan:
        from envctl.plan import hooks

        try:
            resolved = self.spec.require()
        except SpecError as error:
            if self.allow_invalid_spec:
                raise
            raise error.with_more(self._problems_of_valid_parts()) from error
        return hooks.with_places(self._make_plan(resolved), self.spec.where_hook)

    def _make_plan(self, resolved: Resolved) -> Plan:
        from envctl.session.checked_plan import checked_plan

        return checked_plan(
            self.project,
            resolved,
            self.backend,
            template_digest=self._template_digest,
            needed=self.needed,
            services=(*self.services, *self._existing),
        )

    def _problems_of_valid_parts(self) -> Sequence[Problem]:
        """Further problems of an invalid spec: those of a plan of its valid parts."""
        parts = self.project.valid_parts(self.target.environment)
        if parts is None:
            return ()
        session = Session(self.project, self.target, allow_invalid_spec=True, resolved=parts)
        try:
            session._make_plan(parts)
        except SpecError as error:
            return error.problems
        except EnvctlError:
            return ()
        return ()

    @cached_property
    def plan_or_none(self) -> Plan | None:
        """The plan, or None if the spec cannot be planned."""
        try:
            return self.plan
        except EnvctlError:
            return None

    @cached_property
    def needed(self) -> frozenset[str] | None:
        """The services that were asked for, with their dependencies; None for all."""
        from envctl.planner.selection import needed_services

        if not self.services or self.resolved is None:
            return None
        return needed_services(self.resolved, self.services)

    # --- secrets

    @cached_property
    def store(self) -> SecretStore:
        """The environment's secrets."""
        from envctl.secrets import SecretStore

        if self._same_as:
            # The user's approval applies to both sessions.
            return self._same_as.store
        declared = self.resolved.data["secrets"] if self.resolved else {}
        project = self.project
        return SecretStore(project.root, self.target.environment, declared, environ=project.environ)

    @cached_property
    def secrets(self) -> PlanSecrets:
        """The secrets of the plan."""
        from envctl.secrets.plan_secrets import PlanSecrets

        return PlanSecrets(self.store, self.plan, needed=self.needed, where=self.spec.where_secret)

    @property
    def desired_plan(self) -> Plan:
        """The plan with the digests of its secrets, for comparison. SpecError with all secrets that have no value."""
        return self.secrets.desired_plan

    @cached_property
    def access(self) -> SessionAccess:
        """What `up` uses on this host, and the user's approval of it."""
        from envctl.trust.session_access import session_access

        project = self.project
        return session_access(
            self.plan,
            self.resolved,
            self.backend.capabilities,
            root=project.root,
            environ=project.environ,
            store=self.store,
            elsewhere=project.mounted_elsewhere(self.target.environment),
        )

    def require_approval(self) -> None:
        """Ask for approval of all access to this host if necessary. After that, the access may be used."""
        self.access.require(self.project.ask)

    # --- observed state

    def observe(self) -> Observed:
        """Observe the present state. Uses the ports of existing units in the plan if they are not recorded.

        A unit counts as up to date if `watch` has copied the plan's files into it.
        """
        observed = self.backend.observe(self.plan_or_none)
        if self.plan_or_none is not None:
            from envctl.plan.host_ports import missing_ports

            if missing := missing_ports(self.plan_or_none, observed):
                chosen = {**self.port_record.chosen, **missing}
                self.use_ports(replace(self.port_record, chosen=chosen))
        return self._with_synced(observed)

    def _with_synced(self, observed: Observed) -> Observed:
        plan = self.plan_or_none
        if plan is None or existing_folder(self.project.root, "synced") is None:
            return observed
        from envctl.reconcile import synced_files

        known = synced_files.load(self.project.root, self.id)
        return synced_files.with_synced(observed, plan, known)

    def changes(self, observed: Observed, forced: Forced | None = None) -> tuple[Change, ...]:
        """The necessary changes; `forced` are those that the user asked for."""
        from envctl.reconcile import compare

        plan = self.secrets.comparable_plan(observed)
        self._note_secrets()
        in_place = self.backend.capabilities.reconfigure
        return compare.compare(plan, observed, reconfigure=in_place, forced=forced or {})

    def _note_secrets(self) -> None:
        """Note, once, which secrets count as unchanged because this run must not read their values."""
        names = self.secrets.not_evaluated - self._noted_secrets
        self._noted_secrets.update(names)
        for name in sorted(names):
            text = "only `up` asks its source for the value; it counts as unchanged here"
            self.report(Progress(f"secret {name}", Stage.NOTE, text))

    def select(self, services: Sequence[str]) -> Plan:
        """The plan of these services and their dependencies; the whole plan if none are given."""
        from envctl.planner.selection import select

        return select(self.desired_plan, services)
