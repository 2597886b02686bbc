"""The secrets of one plan: their digests, whether they have values, and whether this run may read those."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from envctl.errors import Place, Problem, SpecError
from envctl.plan.build_secrets import secret_names, secrets_to_build
from envctl.plan.changes import Change
from envctl.plan.model import Plan
from envctl.plan.plan_changes import with_digests, with_recorded_digests
from envctl.plan.secret_templates import secrets_of
from envctl.plan.state import Observed
from envctl.secrets.sources import SecretError
from envctl.secrets.store import SecretStore


@dataclass(frozen=True, slots=True)
class _Digests:
    known: dict[str, str]
    not_evaluated: frozenset[str]


class PlanSecrets:
    """The secrets of a plan. Only those of the services in `needed` must have values; None means all services.

    Nothing is cached, because a secret may be generated, or its source allowed, at any time. `where` returns the place
    in the spec that declares a secret.
    """

    def __init__(
        self,
        store: SecretStore,
        plan: Plan,
        *,
        needed: Collection[str] | None,
        where: Callable[[str], Place],
    ) -> None:
        self._store = store
        self._plan = plan
        self._where = where
        self._all_needed = needed is None
        self._units = [unit for unit in plan.units if needed is None or unit.service in needed]
        self._names = sorted({secret.name for unit in self._units for secret in unit.run.secrets})
        self._variables = {
            secret: f"{variable} of {unit.service}"
            for unit in self._units
            for variable, template in unit.run.process.secret_env.items()
            for secret in secrets_of(template)
        }

    @property
    def desired_plan(self) -> Plan:
        """The plan with the digests of its secrets. SpecError with all secrets that have no value, each with its place."""
        return with_digests(self._plan, self._digests().known)

    @property
    def not_evaluated(self) -> frozenset[str]:
        """Secrets whose values this run must not read."""
        return self._digests().not_evaluated

    def comparable_plan(self, observed: Observed) -> Plan:
        """The plan to compare with the observed state. Secrets whose values must not be read count as unchanged."""
        digests = self._digests()
        plan = with_digests(self._plan, digests.known)
        # Do not read secrets of services that are not needed.
        names = {secret.name for unit in plan.units for secret in unit.run.secrets}
        unchanged = digests.not_evaluated | (names - set(self._names))
        return with_recorded_digests(plan, observed, unchanged) if unchanged else plan

    def generate(self) -> None:
        """Generate missing values, after checking that all other secrets have one."""
        self._digests()
        names = None if self._all_needed else secret_names(self._units)
        self._store.use(self._plan.backend, names)

    def look_up(self) -> None:
        """Read all values, so that they can be masked. A secret without a value needs no masking."""
        for name in sorted(secret_names(self._plan.units)):
            with suppress(SecretError):
                self._store.digest(name)

    def require_for_builds(self, changes: Iterable[Change]) -> None:
        """Read the secrets that builds need. SpecError with all that have no value."""
        problems: dict[Problem, None] = {}
        for name in secrets_to_build(changes):
            try:
                self._store.value(name)
            except SecretError as error:
                problems[self._problem(name, error)] = None
        if problems:
            raise SpecError(tuple(problems))

    def _digests(self) -> _Digests:
        known: dict[str, str] = {}
        not_evaluated: set[str] = set()
        problems: list[Problem] = []
        for name in self._names:
            try:
                digest = self._store.digest(name)
            except SecretError as error:
                problems.append(self._problem(name, error))
                continue
            if digest is None:
                not_evaluated.add(name)
            elif digest and name in self._variables and b"\0" in self._store.value(name):
                text = (
                    f"secret {name} contains a NUL byte, and {self._variables[name]} is made of it"
                )
                hint = f"environment variables cannot contain one: use the file instead, secrets: [{name}]"
                problems.append(Problem(self._where(name), text, hint=hint))
            else:
                known[name] = digest
        if problems:
            raise SpecError(tuple(problems))
        return _Digests(known, frozenset(not_evaluated))

    def _problem(self, name: str, error: SecretError) -> Problem:
        return Problem(self._where(name), error.brief, hint=error.hint)
