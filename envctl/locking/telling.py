"""What is not as it is locked, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from envctl.errors import EnvctlError
from envctl.lock.comparing import Difference, merged
from envctl.lock.model import FILE, Lock

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


def refusal(
    environment: str, found: Iterable[Difference], *, kind: type[EnvctlError] = EnvctlError
) -> EnvctlError:
    """The error for what came out otherwise than it is locked."""
    told = merged(found)
    count = len(told)
    return kind(
        f"{environment} does not come out as {FILE} says: {count} difference{'s'[: count != 1]}, "
        "locked → found; nothing was replaced",
        details=listed(told),
        hint="the mirror may have moved on: `envctl lock --update` moves the lock, too; "
        "`envctl lock --vendor` keeps packages, so that a mirror is not needed again",
    )


def insist_on_architecture(lock: Lock, found: str, what: str) -> None:
    """EnvctlError unless the lock was made for the architecture that was found in something."""
    if lock.architecture not in ("", found):
        raise EnvctlError(f"{FILE} was made for {lock.architecture}, and {what} is of {found}")
