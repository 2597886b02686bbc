"""Compares the facts of two targets and gives each difference a verdict. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.accepted import Acceptance
from envctl.parity.fact_format import (
    DIGEST,
    PROCESSOR,
    SUBSTRATE,
    UNKNOWN,
    Category,
    Fact,
    Facts,
    UnitFacts,
    Unknown,
    fact,
    fact_id,
    unknown_at,
    unknown_keys,
)
from envctl.plan import sysctls
from envctl.plan.categories import COMPARED, UNITS

_FIRST_BOOT: Final = "/etc/ssh/ssh_host_"
"""Files that each machine generates when it boots for the first time: they are never equal."""
_NOT_RUNNING: Final = fact_id(UNITS, "")
"""The key under which all facts of a stopped unit are unknown."""


class Verdict(StrEnum):
    """How two values of a fact compare."""

    EQUAL = "equal"
    DECLARED = "declared"
    SUBSTRATE = "substrate"
    UNDECLARED = "undeclared"
    UNKNOWN = "unknown"


_OPEN: Final = frozenset({Verdict.UNDECLARED, Verdict.UNKNOWN})


@dataclass(frozen=True, slots=True)
class FactDifference:
    """A fact that is not known to be equal on both sides; None where a side has no such fact."""

    unit: str
    category: str
    key: str
    before: Fact
    after: Fact
    verdict: Verdict
    accepted: Acceptance | None = None
    """The first entry of `accept` that declares the difference."""

    def covered_by(self, entry: Acceptance) -> bool:
        """Whether an entry of `accept` covers the difference."""
        return entry.covers(self.unit, self.category, self.key)


@dataclass(frozen=True)
class Comparison:
    """The outcome: the number of equal facts by unit and category, and all differences."""

    equal: Mapping[tuple[str, str], int]
    findings: Sequence[FactDifference]

    @property
    def undeclared(self) -> Sequence[FactDifference]:
        """Differences without a declared reason."""
        return self.of(Verdict.UNDECLARED)

    @property
    def unknown(self) -> Sequence[FactDifference]:
        """Facts that are unknown on a side, without a declared reason."""
        return self.of(Verdict.UNKNOWN)

    @property
    def open(self) -> Sequence[FactDifference]:
        """Everything that needs a reason and has none."""
        return [finding for finding in self.findings if finding.verdict in _OPEN]

    def of(self, verdict: Verdict) -> Sequence[FactDifference]:
        """The findings with this verdict."""
        return [finding for finding in self.findings if finding.verdict is verdict]

    @property
    def subjects(self) -> Sequence[tuple[str, str]]:
        """The units and categories that were compared, in order."""
        known = {*self.equal, *((finding.unit, finding.category) for finding in self.findings)}
        return sorted(known, key=lambda subject: (subject[0], COMPARED.index(subject[1])))

    def count(self, unit: str, category: str, verdict: Verdict) -> int:
        """How many facts of a unit and category have this verdict."""
        if verdict is Verdict.EQUAL:
            return self.equal.get((unit, category), 0)
        return self._counts[unit, category, verdict]

    @cached_property
    def _counts(self) -> Counter[tuple[str, str, Verdict]]:
        return Counter(
            (finding.unit, finding.category, finding.verdict) for finding in self.findings
        )

    def total(self, verdict: Verdict) -> int:
        """How many facts have this verdict in total."""
        return sum(self.equal.values()) if verdict is Verdict.EQUAL else len(self.of(verdict))


def compare(before: Facts, after: Facts, *, accept: Sequence[Acceptance] = ()) -> Comparison:
    """Compare all facts of both targets. A unit on one side only is a difference; a stopped unit is unknown."""
    equal: Counter[tuple[str, str]] = Counter()
    findings: list[FactDifference] = []
    same = (before.project, before.environment) == (after.project, after.environment)
    for unit in sorted({*before.units, *after.units}):
        left_facts, right_facts = before.units.get(unit), after.units.get(unit)
        differences = _presence(unit, left_facts, right_facts)
        if differences is None and left_facts is not None and right_facts is not None:
            differences = []
            for category, key, left, right in _pairs(left_facts, right_facts, digests=same):
                if left == right:
                    equal[unit, category] += 1
                else:
                    verdict = _verdict(category, key, left_facts, right_facts, (left, right))
                    differences.append(FactDifference(unit, category, key, left, right, verdict))
        findings += [_declared(finding, accept) for finding in differences or ()]
    return Comparison(equal, findings)


def _presence(
    unit: str, left_facts: UnitFacts | None, right_facts: UnitFacts | None
) -> list[FactDifference] | None:
    """The difference if a side lacks the unit or it does not run there; None if both have facts of it."""
    left, right = _presence_of(left_facts), _presence_of(right_facts)
    if left == right == "runs":
        return None
    unknown = isinstance(left, Unknown) or isinstance(right, Unknown)
    verdict = Verdict.UNKNOWN if unknown else Verdict.UNDECLARED
    return [FactDifference(unit, UNITS, unit, left, right, verdict)]


def _presence_of(side: UnitFacts | None) -> Fact:
    if side is None:
        return None
    reason = side.get(UNKNOWN, {}).get(_NOT_RUNNING)
    return "runs" if reason is None else Unknown(reason)


def _pairs(
    left_facts: UnitFacts, right_facts: UnitFacts, *, digests: bool
) -> Iterator[tuple[str, str, Fact, Fact]]:
    """All facts in pairs. `digests` of secrets can be compared only within one environment.

    If a whole folder or category is unknown, only that is reported.
    """
    for category in Category:
        known = [*left_facts.get(category, {}), *right_facts.get(category, {})]
        unknown = [*unknown_keys(left_facts, category), *unknown_keys(right_facts, category)]
        for key in sorted({*known, *unknown}):
            at = [unknown_at(side, category, key) for side in (left_facts, right_facts)]
            if any(broader not in (None, key) for broader in at):
                continue
            if digests or category != Category.SECRETS or not key.endswith(DIGEST):
                yield (
                    category,
                    key,
                    fact(left_facts, category, key),
                    fact(right_facts, category, key),
                )


def _verdict(
    category: str,
    key: str,
    left_facts: UnitFacts,
    right_facts: UnitFacts,
    values: tuple[Fact, Fact],
) -> Verdict:
    """Substrate is what only a machine has and a container lacks; two machines must agree on it.

    The kernel is not part of a unit: a container uses the kernel of its host, and a machine's own kernel is listed as a
    package. The processor is: a `platform` may ask for one, and an engine may emulate it.
    """
    machines = [side[SUBSTRATE] for side in (left_facts, right_facts) if SUBSTRATE in side]
    if len(machines) == 2:
        came_along = category == Category.FILES and key.startswith(_FIRST_BOOT)
    else:
        container_value = values[SUBSTRATE in left_facts] if machines else None
        came_along = any(_came_along(listed, category, key, container_value) for listed in machines)
    if came_along or (category == Category.KERNEL and key != PROCESSOR):
        return Verdict.SUBSTRATE
    if len(machines) < 2 and _is_of_the_host(category, key, values):
        return Verdict.SUBSTRATE
    unknown = any(isinstance(value, Unknown) for value in values)
    return Verdict.UNKNOWN if unknown else Verdict.UNDECLARED


def _came_along(listed: Mapping[str, str], category: str, key: str, container_value: Fact) -> bool:
    """Whether a fact comes from the machine. If it changed an image's file, the container must have the original."""
    before = listed.get(fact_id(category, key))
    return before is not None and before in ("", container_value)


def _is_of_the_host(category: str, key: str, values: tuple[Fact, Fact]) -> bool:
    """Whether a container inherits the fact from its host: visible memory and processors, kernel settings."""
    if category == Category.LIMITS:
        return key.endswith(" visible")
    if category != Category.SYSCTLS:
        return False
    # A setting that only one side has depends on the version of its kernel.
    return sysctls.is_of_the_host(key) or None in values


def _declared(finding: FactDifference, accept: Sequence[Acceptance]) -> FactDifference:
    """The finding, marked as declared if it needs a reason and an entry gives one."""
    if finding.verdict not in _OPEN:
        return finding
    entry = next((entry for entry in accept if finding.covered_by(entry)), None)
    return replace(finding, verdict=Verdict.DECLARED, accepted=entry) if entry else finding
