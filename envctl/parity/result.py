"""Several targets compared, each with the first; and what the spec accepts that nowhere differs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envctl.lazy_dataclass import dataclass
from envctl.parity.accepted import Acceptance
from envctl.parity.compare_facts import Comparison, Verdict, compare
from envctl.parity.fact_format import Facts


@dataclass(frozen=True, slots=True)
class Side:
    """A target that is compared: its facts, what its spec accepts, and the file they were kept in, if any."""

    facts: Facts
    accept: Sequence[Acceptance] = ()
    file: str = ""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.facts.name} ({self.file})" if self.file else self.facts.name


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides and how they compare, what either accepts being declared."""

    before: Side
    after: Side
    accept: Sequence[Acceptance]
    comparison: Comparison

    @property
    def used(self) -> Iterator[Acceptance]:
        """The entries that a declared difference needs; those that say the same, all of them."""
        declared = self.comparison.of(Verdict.DECLARED)
        return (
            entry
            for entry in self.accept
            if any(difference.covered_by(entry) for difference in declared)
        )


@dataclass(frozen=True, slots=True)
class Parity:
    """The outcome: all pairs, and the entries that matched nothing in any of them."""

    pairs: Sequence[Pair]
    stale: Sequence[Acceptance]

    @property
    def differences(self) -> int:
        """How many there are that nobody has given a reason for."""
        return sum(len(pair.comparison.undeclared) for pair in self.pairs)

    @property
    def unknown(self) -> int:
        """How many facts are unknown, and nobody has given a reason for."""
        return sum(len(pair.comparison.unknown) for pair in self.pairs)

    @property
    def holds(self) -> bool:
        """Whether the targets are known to be the same, but for what has a reason."""
        return not self.differences and not self.unknown


def compare_sides(first: Side, *others: Side) -> Parity:
    """Compare each of the others with the first."""
    pairs = [_pair(first, other) for other in others]
    # By place: with other variables an entry of the file that environments share may have other values.
    used = {entry.where for pair in pairs for entry in pair.used}
    every = {entry.where: entry for pair in pairs for entry in pair.accept}
    return Parity(pairs, [every[where] for where in sorted(every) if where not in used])


def _pair(before: Side, after: Side) -> Pair:
    accept = list(dict.fromkeys([*before.accept, *after.accept]))
    return Pair(before, after, accept, compare(before.facts, after.facts, accept=accept))
