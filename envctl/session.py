"""A target, and everything about it that a verb may ask for, made when first asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl import definition
from envctl.backends import backend_names, is_backend, open_backend, open_engine, template_roles
from envctl.backends.base import (
    Backend,
    Context,
    ImageEngine,
    KeepsVolumes,
    LaysOutPlans,
    no_build_inputs,
)
from envctl.backends.common.parallel import all_at_once
from envctl.definition.names import ROOT_FILE, is_name
from envctl.errors import EnvctlError, Place, Problem, SpecError, UsageError
from envctl.host.ca_bundle import bundle
from envctl.host.checkout_id import home_of
from envctl.host.private_state import existing_folder
from envctl.plan.scope import Scope, make_scope
from envctl.plan.target import DEFAULT_BACKEND, Target
from envctl.suggest import did_you_mean

if TYPE_CHECKING:
    from envctl.backends.common.build_inputs import BuildInputs
    from envctl.definition.resolved import Resolved
    from envctl.plan.changes import Change
    from envctl.plan.model import Base, Build, DockerfileBuild, Plan, Unit
    from envctl.plan.state import Observed, UnitState
    from envctl.progress import Progress
    from envctl.project import Project
    from envctl.reconcile.volume_notes import VolumeNote
    from envctl.secrets import SecretStore
    from envctl.trust.host_access import Mounted, Reach, SecretSource


class Session:
    """One target in one run.

    With `allow_invalid_spec`, what is up can be handled though the spec is broken, or has the environment no more.
    """

    def __init__(
        self, project: Project, target: Target, *, allow_invalid_spec: bool = False
    ) -> None:
        self.project = project
        self.target = target
        self.allow_invalid_spec = allow_invalid_spec
        self.services: tuple[str, ...] = ()
        """What was asked for of it, by name; () for all. To be set before the plan is looked at."""
        self._unknown: UsageError | None = None
        self._sound: Resolved | None = None
        """What is valid in a spec that is not, where the rest of its problems is looked for."""
        self.not_evaluated: set[str] = set()
        """Secrets whose values this run must not look up, as far as that was asked."""
        self._told_of_secrets = False
        self.build_inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
        """What builds are given while they run; may be set until the first one starts."""
        self.have_base: Callable[[Base], object] = self._ensure_base
        """Has a base on the engine; may be another way, too."""
        self.secret: Callable[[str], bytes] = self._own_secret
        """Gives a secret's value; may be another way, too."""

    @cached_property
    def resolved(self) -> Resolved | None:
        """The resolved spec; None only if the run is allow_invalid_spec and the spec broken or without the environment."""
        if self._sound is not None:
            return self._sound
        try:
            return self.project.resolved(self.target.environment, without_files=bool(self.services))
        except SpecError:
            if self.allow_invalid_spec:
                return None
            raise
        except UsageError as error:
            if self.allow_invalid_spec and self._is_gone():
                self._unknown = error
                return None
            raise

    def _is_gone(self) -> bool:
        name = self.target.environment
        return is_name(name) and name not in self.project.environments()

    def require_known(self) -> None:
        """Raise the UsageError for an unknown environment, unless something of it is there."""
        if self.resolved is not None or self._unknown is None:
            return
        try:
            there = self.backend.observe()
        except EnvctlError as error:
            raise self._unknown from error
        if not (there.units or there.volumes or there.leftovers):
            raise self._unknown

    @property
    def id(self) -> str:
        """The environment with its backend, whether or not the target names it."""
        return f"{self.target.environment}@{self.backend.name}"

    @property
    def unknown_reason(self) -> str:
        """Why nobody can tell what is wanted of this environment; "" if the spec tells."""
        if self.plan_or_none is not None:
            return ""
        if self._unknown is not None:
            return "the environment is in the spec no more"
        return "the spec has problems: envctl validate"

    @cached_property
    def scope(self) -> Scope:
        """Whose resources these are."""
        root, resolved = self.project.root, self.resolved
        project = resolved.data["project"] if resolved else self._glimpse("project") or "unknown"
        return make_scope(project, self.target.environment, root, home=home_of(root))

    @cached_property
    def backend(self) -> Backend:
        """The backend, not yet connected."""
        project, environment, resolved = self.project, self.target.environment, self.resolved
        data = resolved.data if resolved else None
        own = data["backend"] if data else self._glimpse("backend") or _usual_backend(project)
        name = self.target.backend or own
        # Backends keep things there, too: no link may lead them away.
        existing_folder(project.root, name, environment)
        where = resolved.where("backend") if resolved and not self.target.backend else None
        return open_backend(name, self.context, where=where)

    @cached_property
    def context(self) -> Context:
        """What any backend is given for this environment."""
        return Context(
            self.scope,
            report=self.report,
            secret=self._secret,
            render=self._render,
            trust=bundle(self.project.environ),
            images=lambda: self.engine,
            have_base=self._have_base,
            bootstrap=self._bootstrap,
            recipe=self._recipe,
            build_inputs=self._supplied,
            busy=self._is_busy,
        )

    def _is_busy(self) -> bool:
        """Whether a command is changing the environment now."""
        from envctl.host.private_state import likely_folder
        from envctl.host.run_lock import is_held

        return is_held(likely_folder(self.project.root, "locks"), self.id)

    def _supplied(self, build: Build | DockerfileBuild) -> BuildInputs:
        return self.build_inputs(build)

    @cached_property
    def _recipe(self) -> str:
        """A digest of the project's own templates that images are made from."""
        from envctl.render import own_templates_digest

        return own_templates_digest(self.project.root)

    def _glimpse(self, key: str) -> str | None:
        return definition.glimpse(self.project.root, self.target.environment, key)

    @cached_property
    def engine(self) -> ImageEngine:
        """A container engine, for a backend that makes its machines of images."""
        return open_engine(self.context)

    def _have_base(self, base: Base) -> None:
        self.have_base(base)

    def _ensure_base(self, base: Base) -> None:
        from envctl.bases import ensure

        ensure(base, self.engine.images, self.report)

    def _bootstrap(self, build: Build, folder: Path) -> None:
        from envctl.bases.build_in_folder import bootstrap_build

        bootstrap_build(build, folder, self.report)

    def report(self, progress: Progress) -> None:
        """Pass progress on, without the values of secrets that a program may have told."""
        self.project.report(replace(progress, text=self.store.masked(progress.text)))

    def _secret(self, name: str) -> bytes:
        return self.secret(name)

    def _own_secret(self, name: str) -> bytes:
        return self.store.value(name)

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        backend, _, name = template.partition("/")
        roles = template_roles(backend)
        if roles and name in roles.on_host:
            # What is made of it is run on this host.
            self.require_approval()
        return self.project.templates.render(template, values)

    @cached_property
    def store(self) -> SecretStore:
        """The environment's secrets."""
        from envctl.secrets import SecretStore

        declared = self.resolved.data["secrets"] if self.resolved else {}
        project = self.project
        return SecretStore(project.root, self.target.environment, declared, environ=project.environ)

    @cached_property
    def plan(self) -> Plan:
        """The plan, checked against what the backend can do. SpecError if it cannot be made.

        Values of secrets are not looked at: to look at a project must not run what it brings.
        """
        from envctl.plan import hooks
        from envctl.planner import make_plan

        project = self.project
        try:
            resolved = self.resolved or project.resolved(
                self.target.environment, without_files=bool(self.services)
            )
        except SpecError as error:
            raise (
                error if self.allow_invalid_spec else error.with_more(self._more_problems())
            ) from error
        plan = make_plan(
            resolved,
            backend=self.backend.name,
            package_sets=project.package_sets,
            recipe=self._recipe,
            needed=self.needed,
            also=self._problems,
            shared=project.shared,
        )
        plan = hooks.with_places(plan, self._place_of_hook)
        if project.free_ports:
            plan = _on_free_ports(plan)
        return self.backend.lay_out(plan) if isinstance(self.backend, LaysOutPlans) else plan

    def _problems(self, plan: Plan) -> Sequence[Problem]:
        """What is wrong with a plan for its backend."""
        from envctl.planner.base_names import machine_problems
        from envctl.reconcile.run_hooks import unsupported

        installs = self.backend.capabilities.installs
        needs = machine_problems(plan, self.backend.name) if installs else ()
        return (
            *self._unknown_options(),
            *needs,
            *unsupported(plan, self.backend),
            *self.backend.problems(plan),
        )

    def _more_problems(self) -> Sequence[Problem]:
        """What else is wrong with a spec that has problems: what the valid parts of it would be told."""
        from envctl.planner import make_plan

        project = self.project
        name = self.target.environment
        parts = Session(project, self.target, allow_invalid_spec=True)
        parts._sound = definition.sound_parts(
            project.root, name, sets=project.sets, environ=project.environ
        )
        if parts._sound is None:
            return ()
        try:
            make_plan(
                parts._sound,
                backend=parts.backend.name,
                also=parts._problems,
                shared=project.shared,
            )
        except SpecError as error:
            return error.problems
        except EnvctlError:
            return ()
        return ()

    @cached_property
    def needed(self) -> frozenset[str] | None:
        """The services that are asked for, with all that they depend on; None if that is everything."""
        if not self.services or self.resolved is None:
            return None
        services = self.resolved.data["services"]
        found: set[str] = set()
        todo = [name for name in self.services if name in services]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(services[name]["depends_on"])
        return frozenset(found)

    def _is_needed(self, service: str) -> bool:
        return self.needed is None or service in self.needed

    def _place_of_hook(self, service: str, index: int) -> Place | None:
        path = ("services", service, "hooks", "after_start", index)
        return self.resolved.where(*path) if self.resolved else None

    def _unknown_options(self) -> Sequence[Problem]:
        """Options of backends that there are not, each told once."""
        resolved = self.resolved
        found: dict[Problem, None] = {}
        for name, service in resolved.data["services"].items() if resolved else ():
            for backend in service["options"]:
                if not is_backend(backend):
                    where = (
                        resolved.where("services", name, "options", backend) if resolved else None
                    )
                    near = did_you_mean(backend, backend_names())
                    hint = f"{near}; settings stand below: options: {{vagrant: {{layout: single}}}}"
                    place = where or Place(ROOT_FILE, 1, 1)
                    found[Problem(place, f"no such backend: {backend!r}", hint=hint)] = None
        return tuple(found)

    @cached_property
    def desired_plan(self) -> Plan:
        """The plan with the digests of its secrets, to compare by. SpecError tells all that have no value."""
        from envctl.planner import with_digests
        from envctl.secrets import SecretError

        digests: dict[str, str] = {}
        problems: list[Problem] = []
        for name in self._secret_names:
            try:
                digest = self.store.digest(name)
                if digest is None:
                    self.not_evaluated.add(name)
                else:
                    digests[name] = digest
            except SecretError as error:
                where = self.resolved.where("secrets", name) if self.resolved else None
                place = where or Place(ROOT_FILE, 1, 1)
                problems.append(Problem(place, error.brief, hint=error.hint))
        if problems:
            raise SpecError(tuple(problems))
        return with_digests(self.plan, digests)

    @cached_property
    def _secret_names(self) -> Sequence[str]:
        """The secrets of the services that are needed."""
        units = (unit for unit in self.plan.units if self._is_needed(unit.service))
        return sorted({one.name for unit in units for one in unit.run.secrets})

    def know_secrets(self) -> None:
        """Look the values of all secrets up, so that they can be masked; one without a value has none to mask."""
        from envctl.plan.build_secrets import secret_names
        from envctl.secrets import SecretError

        for name in sorted(secret_names(self.plan.units)):
            with suppress(SecretError):
                self.store.digest(name)

    # --- what of this host is reached

    @cached_property
    def reaches(self) -> tuple[Reach, ...]:
        """What `up` would run, read or show of this host."""
        from envctl.trust.host_access import reaches

        capabilities = self.backend.capabilities
        return reaches(
            self.plan,
            self._secret_sources,
            root=self.project.root,
            elsewhere=self._mounted_elsewhere(),
            host_templates=capabilities.templates.on_host if capabilities.templates else (),
            machines=capabilities.machines,
            shares_kernel=capabilities.shares_kernel,
        )

    @cached_property
    def _secret_sources(self) -> Mapping[str, SecretSource]:
        from envctl.trust.declared_access import secret_sources

        environ = self.project.environ
        return secret_sources(self.resolved, environ) if self.resolved else {}

    def _mounted_elsewhere(self) -> Iterator[Mounted]:
        """What the project's other environments mount, as far as their specs can be read."""
        from envctl.trust.declared_access import mounted

        project = self.project
        equal: tuple[Mounted, ...] | None = None
        for name in project.environments():
            if name == self.target.environment:
                continue
            with suppress(EnvctlError):
                if name not in project.alike:
                    yield from mounted(project.resolved(name))
                    continue
                if equal is None:
                    equal = tuple(mounted(project.resolved(name)))
                yield from (replace(one, environment=name) for one in equal)

    @property
    def unapproved(self) -> tuple[Reach, ...]:
        """What of that the user has not allowed yet."""
        from envctl.trust.approval import missing

        return missing(self.project.root, self.reaches, environ=self.project.environ)

    def require_approval(self) -> None:
        """Have the user's leave for all that is reached of this host, asked for if need be; from now on it may be used."""
        from envctl.trust.approval import require

        project = self.project
        require(project.root, self.reaches, environ=project.environ, ask=project.ask)
        self._use_host()

    def use_what_is_approved(self) -> None:
        """Use what of this host the user has allowed already; nobody is asked."""
        if not self.unapproved:
            self._use_host()

    def _use_host(self) -> None:
        if not self.store.reach_host:
            self.store.reach_host = True
            sources = self._secret_sources.items()
            self.store.allowed_files = {
                name: one.real_file for name, one in sources if one.real_file
            }
            self.not_evaluated.clear()
            self.__dict__.pop("desired_plan", None)

    def make_secrets(self) -> None:
        """Make the secrets that are to be generated, and plan with them."""
        from envctl.plan.build_secrets import secret_names

        needed = (unit for unit in self.plan.units if self._is_needed(unit.service))
        names = None if self.needed is None else secret_names(needed)
        if self.store.use(self.desired_plan.backend, names):
            del self.desired_plan

    def require_build_secrets(self, changes: Iterable[Change]) -> None:
        """Look the secrets of what is to be built up. SpecError tells all that have no value."""
        from envctl.plan.build_secrets import secrets_to_build
        from envctl.secrets import SecretError

        problems: dict[Problem, None] = {}
        for name in secrets_to_build(changes):
            try:
                self.store.value(name)
            except SecretError as error:
                where = self.resolved.where("secrets", name) if self.resolved else None
                place = where or Place(ROOT_FILE, 1, 1)
                problems[Problem(place, error.brief, hint=error.hint)] = None
        if problems:
            raise SpecError(tuple(problems))

    @cached_property
    def plan_or_none(self) -> Plan | None:
        """The plan, or None if it cannot be made."""
        try:
            return self.plan
        except EnvctlError:
            return None

    def observe(self) -> Observed:
        """What is there now."""
        return self.backend.observe(self.plan_or_none)

    def changes(self, observed: Observed) -> tuple[Change, ...]:
        """What has to change."""
        from envctl.reconcile import compare

        return compare.compare(
            self._comparable(observed), observed, reconfigure=self.backend.capabilities.reconfigure
        )

    def _comparable(self, observed: Observed) -> Plan:
        """The plan; secrets whose values must not be looked up now count as unchanged, which is said once."""
        from envctl.planner import with_recorded_digests
        from envctl.progress import Progress, Stage

        plan, unknown = self.desired_plan, sorted(self.not_evaluated)
        # Of services that nobody asked for no secret is looked at.
        idle = {one.name for unit in plan.units for one in unit.run.secrets} - set(
            self._secret_names
        )
        plan = with_recorded_digests(plan, observed, idle) if idle else plan
        if not unknown:
            return plan
        if not self._told_of_secrets:
            self._told_of_secrets = True
            for name in unknown:
                text = "only `up` asks its source for the value; it counts as unchanged here"
                self.report(Progress(f"secret {name}", Stage.NOTE, text))
        return with_recorded_digests(plan, observed, unknown)

    def plan_with_image_volumes(self) -> Plan:
        """The plan, its units with the volumes that their images declare; what is not known of them is said.

        An engine is asked only where a unit is made from an image that is not of the catalogue.
        """
        from envctl.plan.image_volumes import may_declare, plan_with_volumes
        from envctl.progress import Progress, Stage

        plan, backend = self.plan, self.backend
        asked = [unit for unit in plan.units if may_declare(unit.source)]
        if not asked or not isinstance(backend, KeepsVolumes):
            return plan
        try:
            found = backend.image_volumes(replace(plan, units=tuple(asked)))
        except EnvctlError:
            found = {}
        for unit in asked:
            if found.get(unit.name) is None:
                text = "its image is not at hand: volumes that it declares get no names here"
                self.report(Progress(unit.name, Stage.NOTE, text))
        return plan_with_volumes(plan, found)

    def volume_notes(self, observed: Observed) -> tuple[VolumeNote, ...]:
        """What is worth knowing of the environment's volumes before it is brought up."""
        from envctl.reconcile import volume_notes

        backend = self.backend
        if not isinstance(backend, KeepsVolumes):
            return volume_notes.notes(self.plan, observed, image_volumes={}, sizes={})
        left = volume_notes.unused(self.plan, observed)
        return volume_notes.notes(
            self.plan,
            observed,
            image_volumes=backend.image_volumes(self.plan),
            sizes=backend.volume_sizes(observed.volumes) if left else {},
        )

    def select(self, services: Sequence[str]) -> Plan:
        """The plan of these services and what they depend on; the whole plan for none."""
        if not services:
            return self.desired_plan
        wanted: set[str] = set()
        known = {unit.service: unit for unit in self.desired_plan.units}
        todo = list(services)
        while todo:
            name = todo.pop()
            if name not in known:
                raise UsageError(
                    f"{self.target.environment} has no service {name!r}",
                    hint=did_you_mean(name, known),
                )
            if name not in wanted:
                wanted.add(name)
                todo.extend(known[name].depends_on)
        units = tuple(unit for unit in self.desired_plan.units if unit.service in wanted)
        return replace(self.desired_plan, units=units)

    def probe_states(self, units: Sequence[Unit], observed: Observed) -> list[UnitState]:
        """The units' states; where the engine's own probe has not said that a unit is healthy, ours is asked once.

        What the engine says is as old as its last probe: `up` goes by ours, and so does all that tells of the unit after it.
        """
        return all_at_once(lambda unit: self._probe_state(unit, observed), units)

    def _probe_state(self, unit: Unit, observed: Observed) -> UnitState:
        from envctl.plan.state import Health, Status, UnitState

        missing = UnitState(unit.name, unit.service, Status.MISSING, replica=unit.replica)
        state = observed.units.get(unit.name, missing)
        unproven = state.health in (Health.STARTING, Health.UNHEALTHY)
        if unproven and state.status is Status.RUNNING and unit.run.probe:
            try:
                healthy, said = self.backend.probe(unit)
            except EnvctlError as error:
                # It may have ended since it was observed.
                healthy, said = False, error.brief
            if healthy:
                return replace(state, health=Health.HEALTHY, cause="")
            if state.health is Health.UNHEALTHY and state.cause:
                return state
            return replace(state, cause=self.store.masked(said).strip().partition("\n")[0])
        return state


def _on_free_ports(plan: Plan) -> Plan:
    """The plan, its ports on the host left to the engine."""
    return replace(
        plan,
        units=tuple(
            replace(
                unit,
                run=replace(
                    unit.run, ports=tuple(replace(port, host=0) for port in unit.run.ports)
                ),
            )
            for unit in plan.units
        ),
    )


def _usual_backend(project: Project) -> str:
    """The backend of the project's environments, if those that can be read agree on one."""
    found: set[str] = set()
    for name in project.environments():
        with suppress(EnvctlError):
            found.add(project.resolved(name).data["backend"])
    return found.pop() if len(found) == 1 else DEFAULT_BACKEND
