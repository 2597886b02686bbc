"""Entries of `accept`: differences that a spec declares, with a reason. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of `accept`: patterns for units and keys, a category, the reason, and its place in the spec."""

    unit: str
    category: str
    key: str
    reason: str
    where: Place

    def covers(self, unit: str, category: str, key: str) -> bool:
        """Whether the entry declares this difference."""
        return category == self.category and matches(self.unit, unit) and matches(self.key, key)

    @property
    def subject(self) -> str:
        """The entry on one line: "web files /etc/ssl/*"."""
        return f"{self.unit} {self.category} {self.key}"


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern. A text also matches itself: keys such as "tcp [::]:80" contain brackets."""
    return pattern == text or fnmatchcase(text, pattern)
