"""What is not as it is locked, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from envctl.errors import EnvctlError
from envctl.lock.lock_differences import Difference, merged
from envctl.lock.model import FILE, Lock
from envctl.plan.platforms import processor

_SHOWN: Final = 30
"""How many differences an error lists."""


def listed(found: Sequence[Difference]) -> str:
    """Differences of what was found from the lock, so many as a reader bears."""
    lines = [compared(one) for one in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def moved(one: Difference) -> str:
    """In a line what moved from one lock to the next, with the units that have it."""
    return f"{', '.join(one.units)}: {one}"


def compared(one: Difference) -> str:
    """What the lock has, and what the spec or an image has in its place; `details` below it."""
    units = f"{', '.join(one.units)}: " if one.units and one.kind != "unit" else ""
    place = f"  ({one.where})" if one.where else ""
    return "\n".join([f"{units}{_said(one)}{place}", *(f"  {line}" for line in one.details)])


def _said(one: Difference) -> str:
    match one.kind:
        case "unit":
            return f"{one.name}: " + (
                "not locked, the spec has it"
                if one.before is None
                else "locked, no more in the spec"
            )
        case "spec" if one.said:
            return f"{one.said} changed since it was locked"
        case "spec" if one.before is None:
            return f"{one.name}: not locked, asked for"
        case "spec" if one.after is None:
            return f"{one.name}: locked, not asked for"
        case "spec":
            return f"{one.name}: locked {one.before}, asked for {one.after}"
    if one.is_hidden:
        return f"{one.subject}: locked and found {one.old}, with other content"
    locked = f"locked {one.old}" if one.old else "not locked"
    found = f"found {one.new}" if one.new else "not found"
    return f"{one.subject}: {locked}, {found}"


def remedy(found: Sequence[Difference]) -> str:
    """What to do about what the lock, the spec and what is built differ in."""
    kinds = {one.kind for one in found}
    if kinds & {"unit", "spec"}:
        return f"`envctl lock` brings {FILE} up to date and says what moves"
    if "architecture" in kinds:
        return f"{FILE} is of one architecture: check it on such a machine, or make it here with `envctl lock`"
    return (
        "what is built here is another: `envctl up ENV --frozen` builds what is locked, "
        "`envctl lock` locks what is built"
    )


def refusal(
    environment: str, found: Iterable[Difference], *, kind: type[EnvctlError] = EnvctlError
) -> EnvctlError:
    """The error for what came out otherwise than it is locked."""
    told = merged(found)
    count = len(told)
    return kind(
        f"{environment} does not come out as {FILE} says: {count} difference{'s'[: count != 1]}; "
        "nothing was replaced",
        details=listed(told),
        hint="the mirror may have moved on: `envctl lock --update` moves the lock, too; "
        "`envctl lock --vendor` keeps packages, so that a mirror is not needed again",
    )


def insist_on_architecture(lock: Lock, found: str, what: str, *, platform: str = "") -> None:
    """EnvctlError unless the lock was made for the architecture that was found in something.

    What has a `platform` in the spec has to be of that, whatever the rest of the lock is of.
    """
    if platform:
        insist_on_platform(platform, found, what)
        return
    if lock.architecture not in ("", found):
        raise EnvctlError(
            f"{FILE} was made for {lock.architecture}, and {what} is of {found}",
            hint="a lock is of one architecture: use it on such a machine, or make it here with `envctl lock`",
        )


def insist_on_platform(platform: str, found: str, what: str) -> None:
    """EnvctlError if what was found in something is another architecture's word than its platform's."""
    if found and found not in processor(platform).said:
        raise EnvctlError(
            f"{what} is to be for {platform}, and is of {found}",
            hint="remove the image (`docker image rm`), and run the same command again",
        )
