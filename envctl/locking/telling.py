"""Differences in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envctl.lock.comparing import Difference

_SHOWN: Final = 30
"""How many differences an error lists."""


def listed(found: Sequence[Difference]) -> str:
    """Differences, a line each, so many as a reader bears."""
    lines = [told(one) for one in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def told(one: Difference) -> str:
    """A difference in a line, with the units that have it."""
    units = ", ".join(one.units)
    match one.kind:
        case "unit":
            return (
                f"{one.name} is not locked"
                if one.before is None
                else f"{one.name} is in the spec no more"
            )
        case "spec":
            return f"{units}: {'asked for now' if one.before is None else 'asked for no more'}: {one.name}"
        case _:
            return f"{units}: {one}"
