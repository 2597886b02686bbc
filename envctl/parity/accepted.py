"""What a spec accepts of the differences that there may be, entry by entry. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of `accept`: patterns of units and keys, a category, why, and where it stands."""

    unit: str
    category: str
    key: str
    reason: str
    where: Place

    def covers(self, unit: str, category: str, key: str) -> bool:
        """Whether it is about this difference."""
        return category == self.category and matches(self.unit, unit) and matches(self.key, key)

    @property
    def subject(self) -> str:
        """What it is about, in a line: "web files /etc/ssl/*"."""
        return f"{self.unit} {self.category} {self.key}"


def matches(pattern: str, text: str) -> bool:
    """A text matches itself, too: keys such as "tcp [::]:80" have brackets in them."""
    return pattern == text or fnmatchcase(text, pattern)
