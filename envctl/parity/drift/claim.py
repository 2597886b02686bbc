"""A claim: one thing that the spec declares, and what is so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from envctl.errors import Place
from envctl.parity.facts import readable
from envctl.plan.model import Unit

UNITS: Final = "unit"
"""The category of what is so of a unit as a whole."""
CHECKS: Final = "checks"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the spec says of a unit, and what was found; a finding, unless it `holds`.

    `category` is one of facts, UNITS or CHECKS; `where` is the place in the spec that declares it.
    """

    unit: str
    category: str
    key: str
    expected: str
    found: str
    where: Place | None = None
    hint: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.found == self.expected

    @property
    def said(self) -> str:
        """What is wrong, in words."""
        if self.category in (UNITS, CHECKS):
            return self.found
        if self.found.startswith(f"not {self.expected}"):
            return f"declared, {self.found}"
        expected, found = (
            readable(self.category, self.key, value) for value in (self.expected, self.found)
        )
        return f"declared {expected}, found {found}"


def presence(
    unit: str, category: str, key: str, *, word: str, there: bool, where: Place | None
) -> Claim:
    """A claim that something is there, installed, …: whatever the word is."""
    return Claim(unit, category, key, word, word if there else f"not {word}", where)


def place(unit: Unit, *path: str | int) -> Place | None:
    """The place in the spec that set a value of the unit's run, or the nearest one around it."""
    for end in range(len(path), 0, -1):
        if (found := unit.origins.get(".".join(map(str, path[:end])))) is not None:
            return found
    return unit.where
