"""The outcome of `verify`, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.drift.expectation import UNITS, Expectation
from envctl.parity.drift.run_checks import CheckResult

FORMAT: Final = "envctl verify"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome for one target; `simulated` if nothing is really running.

    `lost` is the place where the environment is up instead, if its project folder was moved or deleted. `synced` is, by
    unit, the number of files and folders that `watch` updated or removed. Those are compared with the project like all
    others.
    """

    target: str
    units: Sequence[str]
    expectations: Sequence[Expectation]
    checks: Sequence[CheckResult] = ()
    lost: Sequence[str] = ()
    simulated: bool = False
    synced: Mapping[str, int] = field(default_factory=dict)

    @property
    def findings(self) -> Sequence[Expectation]:
        """What does not match or cannot be checked: drift and failed checks."""
        return [finding for expectation in self._all for finding in expectation.findings]

    @property
    def expectation_counts(self) -> Mapping[str, int]:
        """The number of expectations by unit; it depends only on the plan."""
        counts = dict.fromkeys(self.units, 0)
        for expectation in self._all:
            counts[expectation.unit] = counts.get(expectation.unit, 0) + 1
        return counts

    @property
    def passed_counts(self) -> Mapping[str, int]:
        """The number of expectations that passed, by unit."""
        counts = dict.fromkeys(self.units, 0)
        for expectation in self._all:
            if expectation.passed:
                counts[expectation.unit] = counts.get(expectation.unit, 0) + 1
        return counts

    @property
    def _all(self) -> Sequence[Expectation]:
        expectations = [*self.expectations, *(check.expectation for check in self.checks)]
        # In the order of the plan; for each unit, the expectation about the whole unit comes first.
        order = {name: index for index, name in enumerate(self.units)}
        return sorted(
            expectations,
            key=lambda expectation: (
                order.get(expectation.unit, len(order)),
                expectation.category != UNITS,
            ),
        )


def to_json(verification: Verification) -> dict[str, Any]:
    """The data that `verify --json` prints."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": verification.target,
        "units": [
            {"unit": name, "claims": verification.expectation_counts[name], "holding": count}
            for name, count in verification.passed_counts.items()
        ],
        "findings": [
            {
                "unit": finding.unit,
                "category": finding.category,
                "key": finding.key,
                "expected": finding.expected,
                "found": finding.observed,
                "where": str(finding.where) if finding.where else None,
                "hint": finding.hint,
                "unchecked": finding.unchecked or None,
            }
            for finding in verification.findings
        ],
        "checks": [
            {
                "unit": check.unit,
                "check": check.check.name,
                "exit_code": check.exit_code,
                "cause": check.cause,
                "seconds": check.seconds,
                "output": list(check.output),
            }
            for check in verification.checks
        ],
    }
