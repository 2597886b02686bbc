"""Facts of two targets compared: what is the same, and of what is not, why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from envctl.parity.facts import DIGEST, SUBSTRATE, Category, Facts, UnitFacts

_UNITS: Final = "units"
"""The category of units that are there, or not."""


class Verdict(StrEnum):
    """What a difference is worth."""

    EQUAL = "equal"
    SUBSTRATE = "substrate"
    DECLARED = "declared"
    UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that is not the same on both sides; None where a side has no such fact."""

    unit: str
    category: str
    key: str
    before: str | None
    after: str | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared: by unit and category how many facts were the same, and what was not."""

    before: str
    after: str
    equal: Mapping[tuple[str, str], int]
    findings: Sequence[Finding]

    @property
    def undeclared(self) -> Sequence[Finding]:
        """The differences that nobody has given a reason for."""
        return [one for one in self.findings if one.verdict is Verdict.UNDECLARED]

    @property
    def subjects(self) -> Sequence[tuple[str, str]]:
        """Units and categories that anything was compared of, in order."""
        known = {*self.equal, *((one.unit, one.category) for one in self.findings)}
        order = [*Category, _UNITS]
        return sorted(known, key=lambda one: (one[0], order.index(one[1])))

    def count(self, unit: str, category: str, verdict: Verdict) -> int:
        """How many facts of a unit and a category are so."""
        if verdict is Verdict.EQUAL:
            return self.equal.get((unit, category), 0)
        return sum(
            (one.unit, one.category, one.verdict) == (unit, category, verdict)
            for one in self.findings
        )


def compare(before: Facts, after: Facts) -> Comparison:
    """All facts of the units that both have; a unit that one of them lacks is a difference."""
    equal: Counter[tuple[str, str]] = Counter()
    findings: list[Finding] = []
    for unit in sorted({*before.units, *after.units}):
        one, other = before.units.get(unit), after.units.get(unit)
        if one is None or other is None:
            left, right = (None if side is None else "runs" for side in (one, other))
            findings.append(Finding(unit, _UNITS, unit, left, right, Verdict.UNDECLARED))
            continue
        same = (before.project, before.environment) == (after.project, after.environment)
        for category, key, left, right in _pairs(one, other, digests=same):
            if left == right:
                equal[unit, category] += 1
            else:
                verdict = _verdict(category, key, one, other)
                findings.append(Finding(unit, category, key, left, right, verdict))
    return Comparison(before.name, after.name, equal, findings)


def _pairs(
    one: UnitFacts, other: UnitFacts, *, digests: bool
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """All facts side by side; `digests` of secrets mean something within one environment only."""
    for category in Category:
        left, right = one.get(category, {}), other.get(category, {})
        for key in sorted({*left, *right}):
            if digests or category != Category.SECRETS or not key.endswith(DIGEST):
                yield category, key, left.get(key), right.get(key)


def _verdict(category: str, key: str, one: UnitFacts, other: UnitFacts) -> Verdict:
    """The kernel is never a unit's own; all else that a machine brings along stands in its box's list."""
    came_along = category == Category.KERNEL or any(
        f"{category}\t{key}" in side.get(SUBSTRATE, {}) for side in (one, other)
    )
    return Verdict.SUBSTRATE if came_along else Verdict.UNDECLARED
