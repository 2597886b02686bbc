"""Checks running units: collects their facts and compares them with what the spec declares."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from envctl.backends.base import Backend
from envctl.backends.common.parallel import all_at_once
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.parity import collect
from envctl.parity.drift import built_files, files, libraries, package_files, packages, process
from envctl.parity.drift.expectation import Expectation
from envctl.parity.fact_format import UNKNOWN, Category, UnitFacts, fact_id
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import Kind, PipInstall, Plan, Unit

PATIENCE: Final = 5.0
"""How many seconds after its start a process may take to listen and to be found by name."""
_PAUSE: Final = 0.5
_LATE: Final = (Category.SOCKETS, Category.NAMES)


class Redactor(Protocol):
    """Removes the values of secrets."""

    def masked(self, text: str) -> str:
        """The text without the values of secrets."""

    def masked_bytes(self, data: bytes) -> bytes:
        """The bytes without the values of secrets."""


@dataclass(frozen=True, slots=True)
class UnitVerifier:
    """Checks the running units of a plan.

    `digests` are those of the secrets' values, made with `key`; `redactor` removes the values from output. Only `up`
    reads the values of secrets in `unevaluated`.
    """

    plan: Plan
    backend: Backend
    running: Sequence[Unit]
    key: str
    digests: Mapping[str, str]
    redactor: Redactor
    unevaluated: frozenset[str] = frozenset()

    def expectations(self, closed: Mapping[str, str]) -> list[Expectation]:
        """The expectations for the plan's services; their number depends only on the plan.

        `closed` maps the names of units that are not examined to the reason.
        """
        services = [unit for unit in self.plan.units if unit.kind is Kind.SERVICE]
        by_unit = all_at_once(lambda unit: self._of(unit, closed.get(unit.name, "")), services)
        return [expectation for expectations in by_unit for expectation in expectations]

    def _of(self, unit: Unit, closed: str) -> list[Expectation]:
        if closed:
            return list(self._held(unit, nothing_told(closed)))
        end = time.monotonic() + PATIENCE
        while True:
            try:
                results = list(self._held(unit, self._ask(unit)))
            except EnvctlError as error:
                facts = nothing_told(self.redactor.masked(error.brief))
                return [
                    replace(expectation, hint=error.hint or expectation.hint)
                    for expectation in self._held(unit, facts)
                ]
            late = any(map(_may_come, results))
            if not late or time.monotonic() > end:
                return [
                    _waited_for(expectation) if _may_come(expectation) else expectation
                    for expectation in results
                ]
            time.sleep(_PAUSE)

    def _ask(self, unit: Unit) -> UnitFacts:
        return collect.ask(
            # If the unit uses a remote name server, looking up unknown names is slow.
            replace(self.plan, units=tuple(self.running)),
            unit,
            self.backend,
            key=self.key,
            mask=self.redactor.masked_bytes,
            also=inquiry(unit),
        )

    def _held(self, unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
        root = Path(self.plan.scope.root)
        services = [service for service in self.plan.units if service.kind is Kind.SERVICE]
        running = {service.name for service in self.running}
        yield from packages.expectations(unit, facts)
        yield from libraries.expectations(unit, facts, root=root)
        yield from process.expectations(
            unit, facts, mask=self.redactor.masked, services=services, running=running
        )
        yield from files.expectations(unit, facts)
        yield from files.secrets(
            unit, facts, digests=self.digests, key=self.key, unevaluated=self.unevaluated
        )
        yield from package_files.expectations(unit, facts)


def nothing_told(why: str) -> UnitFacts:
    """The facts of a unit that cannot be examined, with the reason for each category."""
    return {UNKNOWN: {fact_id(category, ""): why for category in (*Category, *VerifyCategory)}}


def _may_come(expectation: Expectation) -> bool:
    return not expectation.passed and not expectation.unchecked and expectation.category in _LATE


def _waited_for(expectation: Expectation) -> Expectation:
    return replace(expectation, observed=f"{expectation.observed} within {PATIENCE:g} s")


def inquiry(unit: Unit) -> Iterator[tuple[str, str]]:
    """The questions that only `verify` asks: (kind, value)."""
    questions: dict[tuple[str, str], None] = {}
    for path in (*built_files.REFERENCES, packages.STATUS, packages.INFO):
        questions["times", path] = None
    for built_file in built_files.files(unit):
        questions["times", built_file.path] = None
        questions["gone", built_file.path] = None
    for step in built_files.steps(unit):
        if isinstance(step, PipInstall):
            questions["python", f"{step.venv.rstrip('/')}/lib"] = None
    questions["exec_environ", "environment"] = None
    questions["tool", process.LOOK_UP] = None
    questions["provides", "all"] = None
    questions["removed", "all"] = None
    questions["changed", "all"] = None
    questions["lost", "all"] = None
    yield from ((kind, value) for kind, value in questions if "\n" not in value)
