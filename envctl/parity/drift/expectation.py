"""An expectation: one thing that the spec declares, and what was observed."""

from __future__ import annotations

from typing import Final

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.parity.fact_format import UNKNOWN, UnitFacts, fact_id, readable, unknown_at
from envctl.plan import run_causes
from envctl.plan.model import Unit

UNITS: Final = "unit"
"""The category of expectations about whole units."""
CHECKS: Final = "checks"
_REMEDY: Final = "`envctl up` repairs what it can; then verify again"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the spec declares about a unit, and what was observed; a finding unless it `passed`.

    `category` is one of facts, UNITS or CHECKS; `where` is the place in the spec that declares it. `unchecked` is the
    reason if it cannot be checked. `details` list what is wrong if the expectation is about many things.
    """

    unit: str
    category: str
    key: str
    expected: str
    observed: str
    where: Place | None = None
    hint: str = ""
    unchecked: str = ""
    details: tuple[Expectation, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the unit matches the expectation."""
        return not self.unchecked and not self.details and self.observed == self.expected

    @property
    def findings(self) -> tuple[Expectation, ...]:
        """What to report: the expectation itself, its details, or nothing if it passed."""
        return self.details or (() if self.passed else (self,))

    @property
    def message(self) -> str:
        """The mismatch as a sentence."""
        if self.unchecked:
            return f"cannot be checked: {self.unchecked}"
        if self.category in (UNITS, CHECKS):
            return self.observed
        if self.observed.startswith(f"not {self.expected}"):
            return f"declared, {self.observed}"
        expected, observed = (
            readable(self.category, self.key, value) for value in (self.expected, self.observed)
        )
        return f"declared {expected}, found {observed}"


def so(unit: str, category: str, key: str, where: Place | None, *, word: str = "so") -> Expectation:
    """An expectation that passes, possibly because the spec itself may have caused the difference."""
    return Expectation(unit, category, key, word, word, where)


def cannot_check(unit: str, category: str, key: str, why: str, where: Place | None) -> Expectation:
    """An expectation that cannot be checked."""
    return Expectation(unit, category, key, "so", "", where, _REMEDY, unchecked=why)


def why_unknown(facts: UnitFacts, category: str, key: str = "") -> str:
    """Why a fact, or a whole category, is unknown; "" if it is known or absent."""
    at = unknown_at(facts, category, key)
    return "" if at is None else facts[UNKNOWN][fact_id(category, at)] or "it was not reported"


def presence(
    unit: str, category: str, key: str, *, word: str, is_present: bool, where: Place | None
) -> Expectation:
    """An expectation that something is present, installed, …; `word` is the adjective."""
    return Expectation(unit, category, key, word, word if is_present else f"not {word}", where)


def place(unit: Unit, *path: str | int) -> Place | None:
    """The place in the spec that set a value of the unit's run, or the nearest one around it."""
    return run_causes.place(unit, path)
