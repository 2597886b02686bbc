"""Where one value of a spec was set, and what it replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from envctl.errors import Place

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was set, and what it replaced: (place, the old value as text), newest first."""

    where: Place
    replaced: tuple[tuple[Place, str], ...] = ()
