"""Compares several targets with the first one, and finds entries of `accept` that match nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envctl.lazy_dataclass import dataclass
from envctl.parity.accepted import Acceptance
from envctl.parity.compare_facts import Comparison, Verdict, compare
from envctl.parity.fact_format import Facts


@dataclass(frozen=True, slots=True)
class Side:
    """A target that is compared: its facts, its `accept` entries, and the facts file, if it was read from one."""

    facts: Facts
    accept: Sequence[Acceptance] = ()
    file: str = ""

    @property
    def name(self) -> str:
        """The side's name in reports."""
        return f"{self.facts.name} ({self.file})" if self.file else self.facts.name


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides and their comparison; entries of both count as declared."""

    before: Side
    after: Side
    accept: Sequence[Acceptance]
    comparison: Comparison

    @property
    def used(self) -> Iterator[Acceptance]:
        """The entries that match a declared difference, including duplicates."""
        declared = self.comparison.of(Verdict.DECLARED)
        return (
            entry
            for entry in self.accept
            if any(difference.covered_by(entry) for difference in declared)
        )


@dataclass(frozen=True, slots=True)
class Parity:
    """The outcome: all pairs, and the `accept` entries that match nothing in any of them."""

    pairs: Sequence[Pair]
    stale: Sequence[Acceptance]

    @property
    def differences(self) -> int:
        """The number of differences without a declared reason."""
        return sum(len(pair.comparison.undeclared) for pair in self.pairs)

    @property
    def unknown(self) -> int:
        """The number of unknown facts without a declared reason."""
        return sum(len(pair.comparison.unknown) for pair in self.pairs)

    @property
    def holds(self) -> bool:
        """Whether the targets are known to be equal, apart from declared differences."""
        return not self.differences and not self.unknown


def compare_sides(first: Side, *others: Side) -> Parity:
    """Compare each of the others with the first."""
    pairs = [_pair(first, other) for other in others]
    # By place in the file, because an entry of a shared file may have other values with other variables.
    used = {entry.where for pair in pairs for entry in pair.used}
    every = {entry.where: entry for pair in pairs for entry in pair.accept}
    return Parity(pairs, [every[where] for where in sorted(every) if where not in used])


def _pair(before: Side, after: Side) -> Pair:
    accept = list(dict.fromkeys([*before.accept, *after.accept]))
    return Pair(before, after, accept, compare(before.facts, after.facts, accept=accept))
