"""What `verify` found, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.drift.expectation import UNITS, Expectation
from envctl.parity.drift.run_checks import CheckResult

FORMAT: Final = "envctl verify"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was held against the spec of a target; `simulated` if nothing really runs there.

    `lost` tells where it is up instead, if it is up from a folder that is gone.
    """

    target: str
    units: Sequence[str]
    expectations: Sequence[Expectation]
    checks: Sequence[CheckResult] = ()
    lost: Sequence[str] = ()
    simulated: bool = False

    @property
    def findings(self) -> Sequence[Expectation]:
        """What is not so, or cannot be checked: drift, and checks that fail."""
        return [finding for one in self._all for finding in one.findings]

    @property
    def expectation_counts(self) -> Mapping[str, int]:
        """How many claims there are, by unit: as many whatever is found."""
        counts = dict.fromkeys(self.units, 0)
        for expectation in self._all:
            counts[expectation.unit] = counts.get(expectation.unit, 0) + 1
        return counts

    @property
    def passed_counts(self) -> Mapping[str, int]:
        """How many claims hold, by unit."""
        counts = dict.fromkeys(self.units, 0)
        for expectation in self._all:
            if expectation.passed:
                counts[expectation.unit] = counts.get(expectation.unit, 0) + 1
        return counts

    @property
    def _all(self) -> Sequence[Expectation]:
        expectations = [*self.expectations, *(one.expectation for one in self.checks)]
        # The units as the plan has them; of each first what it is as a whole.
        order = {name: index for index, name in enumerate(self.units)}
        return sorted(
            expectations, key=lambda one: (order.get(one.unit, len(order)), one.category != UNITS)
        )


def to_json(found: Verification) -> dict[str, Any]:
    """What `verify --json` prints."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": found.target,
        "units": [
            {"unit": name, "claims": found.expectation_counts[name], "holding": count}
            for name, count in found.passed_counts.items()
        ],
        "findings": [
            {
                "unit": one.unit,
                "category": one.category,
                "key": one.key,
                "expected": one.expected,
                "found": one.found,
                "where": str(one.where) if one.where else None,
                "hint": one.hint,
                "unchecked": one.unchecked or None,
            }
            for one in found.findings
        ],
        "checks": [
            {
                "unit": one.unit,
                "check": one.check.name,
                "exit_code": one.exit_code,
                "cause": one.cause,
                "seconds": one.seconds,
                "output": list(one.output),
            }
            for one in found.checks
        ],
    }
