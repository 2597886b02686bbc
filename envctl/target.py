"""A target, and everything about it that a verb may ask for, made when first asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from envctl import compare, spec
from envctl.backends import open_backend
from envctl.backends.base import Backend, Context
from envctl.errors import EnvctlError, SpecError, UsageError
from envctl.plan.changes import Change
from envctl.plan.model import Plan, Unit
from envctl.plan.state import Health, Observed, Status, UnitState
from envctl.planner import make_plan, make_scope
from envctl.secrets import SecretStore
from envctl.spec.canonical import Resolved
from envctl.suggest import did_you_mean
from envctl.trust import bundle

if TYPE_CHECKING:
    from envctl.workflow import Workspace

DEFAULT_BACKEND = "docker"


@dataclass(frozen=True, slots=True)
class Target:
    """An environment, on the backend its spec names or on another one."""

    environment: str
    backend: str | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ENV or ENV@BACKEND. UsageError if it is neither."""
        environment, at, backend = text.partition("@")
        if not environment or (at and not backend) or "@" in backend:
            raise UsageError(
                f"{text!r} is not a target", hint="write ENV or ENV@BACKEND: dev, dev@docker"
            )
        return cls(environment, backend or None)


class Opened:
    """One target in one run. With `lenient`, what is up can be handled though the spec is broken."""

    def __init__(self, workspace: Workspace, target: Target, *, lenient: bool = False) -> None:
        self.workspace = workspace
        self.target = target
        self.lenient = lenient

    @cached_property
    def resolved(self) -> Resolved | None:
        """The resolved spec; None only if it is broken and the run is lenient."""
        try:
            return self.workspace.resolved(self.target.environment)
        except SpecError:
            if self.lenient:
                return None
            raise

    @cached_property
    def backend(self) -> Backend:
        """The backend, not yet connected."""
        resolved = self.resolved
        own = resolved.data["backend"] if resolved else DEFAULT_BACKEND
        project = resolved.data["project"] if resolved else "unknown"
        workspace = self.workspace
        context = Context(
            make_scope(project, self.target.environment, workspace.root),
            report=workspace.report,
            secret=self._secret,
            render=self._render,
            trust=bundle(workspace.environ),
            images=lambda: self.engine,
        )
        where = resolved.where("backend") if resolved and not self.target.backend else None
        return open_backend(self.target.backend or own, context, where=where)

    @cached_property
    def engine(self) -> Any:
        """A container engine, for a backend that makes its machines of images."""
        return open_backend(DEFAULT_BACKEND, self.backend.context)  # type: ignore[attr-defined]

    def _secret(self, name: str) -> bytes:
        return self.store.value(name)

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self.workspace.templates.render(template, values)

    @cached_property
    def store(self) -> SecretStore:
        """The environment's secrets."""
        declared = self.resolved.data["secrets"] if self.resolved else {}
        workspace = self.workspace
        return SecretStore(
            workspace.root, self.target.environment, declared, environ=workspace.environ
        )

    @cached_property
    def plan(self) -> Plan:
        """The plan, checked against what the backend can do. SpecError if it cannot be made."""
        resolved = self.workspace.resolved(self.target.environment)
        workspace = self.workspace
        used = {use["name"] for one in resolved.data["services"].values() for use in one["secrets"]}
        from envctl.render import own_templates_digest

        plan = make_plan(
            resolved,
            backend=self.backend.name,
            secret_digests={name: self.store.digest(name) for name in sorted(used)},
            package_sets=spec.package_sets(
                workspace.root, sets=workspace.sets, environ=workspace.environ
            ),
            recipe=own_templates_digest(workspace.root),
        )
        problems = tuple(self.backend.problems(plan))
        if problems:
            raise SpecError(problems)
        return plan

    def make_secrets(self) -> None:
        """Make the secrets that are to be generated, and plan with them."""
        if self.store.use(self.plan.backend):
            del self.plan

    @cached_property
    def known_plan(self) -> Plan | None:
        """The plan, or None if it cannot be made."""
        try:
            return self.plan
        except EnvctlError:
            return None

    def observe(self) -> Observed:
        """What is there now."""
        return self.backend.observe(self.known_plan)

    def changes(self, observed: Observed) -> tuple[Change, ...]:
        """What has to change."""
        return compare.compare(
            self.plan, observed, reconfigure=self.backend.capabilities.reconfigure
        )

    def select(self, services: Sequence[str]) -> Plan:
        """The plan of these services and what they depend on; the whole plan for none."""
        if not services:
            return self.plan
        wanted: dict[str, None] = {}
        known = {unit.service: unit for unit in self.plan.units}

        def visit(name: str) -> None:
            if name not in known:
                raise UsageError(
                    f"{self.target.environment} has no service {name!r}",
                    hint=did_you_mean(name, known),
                )
            if name not in wanted:
                wanted[name] = None
                for needed in known[name].depends_on:
                    visit(needed)

        for name in services:
            visit(name)
        units = tuple(unit for unit in self.plan.units if unit.service in wanted)
        return replace(self.plan, units=units)

    def asked(self, unit: Unit, observed: Observed) -> UnitState:
        """The unit's state; where the engine's own probe has not spoken yet, ours is asked once."""
        missing = UnitState(unit.name, unit.service, Status.MISSING, replica=unit.replica)
        state = observed.units.get(unit.name, missing)
        if state.health is Health.STARTING and state.status is Status.RUNNING and unit.run.probe:
            healthy, said = self.backend.probe(unit)
            if healthy:
                return replace(state, health=Health.HEALTHY)
            return replace(state, cause=said.strip().partition("\n")[0])
        return state

    def units_there(self, names: Sequence[str]) -> tuple[str, ...]:
        """The units that exist, of these services or units, or all. UsageError for an unknown one."""
        there = self.backend.observe().units
        found: dict[str, None] = {} if names else dict.fromkeys(there)
        for name in names:
            matches = [unit for unit, state in there.items() if name in (unit, state.service)]
            if not matches:
                raise self._not_there(name, there)
            found.update(dict.fromkeys(matches))
        return tuple(found)

    def running_unit(self, name: str) -> str:
        """The unit of that name (or the service's first), which has to be running."""
        there = self.backend.observe().units
        if name not in there:
            raise self._not_there(name, there)
        if there[name].status is not Status.RUNNING:
            raise EnvctlError(
                f"{name} is not running ({there[name].status})",
                hint=f"bring it up with `envctl up {self.target.environment}`",
            )
        return name

    def _not_there(self, name: str, there: object) -> EnvctlError:
        known = tuple(there) if isinstance(there, dict) else ()
        hint = did_you_mean(name, known) if known else ""
        up = f"`envctl up {self.target.environment}` brings it up"
        return EnvctlError(
            f"{self.target.environment} has no {name!r} that is there", hint=hint or up
        )
