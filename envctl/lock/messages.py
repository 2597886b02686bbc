"""Messages about differences from the lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from envctl.errors import EnvctlError
from envctl.lock.lock_differences import LockDifference, merged
from envctl.lock.model import FILE, Lock
from envctl.plan.platforms import processor
from envctl.plan.text import first_lines

_MAX_LISTED: Final = 30
"""The maximum number of differences in an error."""


def listing(differences: Sequence[LockDifference]) -> str:
    """The first differences, one per line, and the number of others."""
    return "\n".join(first_lines(list(map(difference_text, differences)), _MAX_LISTED))


def change_text(change: LockDifference) -> str:
    """A change from one lock to the next on one line, with its units."""
    return f"{', '.join(change.units)}: {change}"


def difference_text(difference: LockDifference) -> str:
    """The locked version, and that of the spec or image; then the details."""
    units = (
        f"{', '.join(difference.units)}: " if difference.units and difference.kind != "unit" else ""
    )
    place = f"  ({difference.where})" if difference.where else ""
    return "\n".join(
        [
            f"{units}{_versions_text(difference)}{place}",
            *(f"  {line}" for line in difference.details),
        ]
    )


def _versions_text(difference: LockDifference) -> str:
    match difference.kind:
        case "unit":
            return f"{difference.name}: " + (
                "in the spec, not locked"
                if difference.before is None
                else "locked, removed from the spec"
            )
        case "spec" if difference.summary:
            return f"{difference.summary} changed since it was locked"
        case "spec" if difference.before is None:
            return f"{difference.name}: requested, not locked"
        case "spec" if difference.after is None:
            return f"{difference.name}: locked, not requested"
        case "spec":
            return f"{difference.name}: locked {difference.before}, requested {difference.after}"
    if difference.is_hidden:
        return (
            f"{difference.subject}: locked and found {difference.old}, but with different content"
        )
    locked = f"locked {difference.old}" if difference.old else "not locked"
    actual = f"found {difference.new}" if difference.new else "not found"
    return f"{difference.subject}: {locked}, {actual}"


def remedy(differences: Sequence[LockDifference]) -> str:
    """What the user can do about these differences."""
    kinds = {difference.kind for difference in differences}
    if kinds & {"unit", "spec"}:
        return f"`envctl lock` updates {FILE} and shows what changes"
    if "architecture" in kinds:
        return f"{FILE} is for one architecture: check it on such a machine, or create it here with `envctl lock`"
    return (
        "the images here differ: `envctl up ENV --frozen` builds what is locked, "
        "`envctl lock` locks what is built"
    )


def mismatch_error(
    environment: str,
    differences: Iterable[LockDifference],
    *,
    kind: type[EnvctlError] = EnvctlError,
) -> EnvctlError:
    """The error for builds that do not match the lock."""
    listed = merged(differences)
    count = len(listed)
    return kind(
        f"{environment} does not match {FILE}: {count} difference{'s'[: count != 1]}; "
        "nothing was replaced",
        details=listing(listed),
        hint="the mirror may have newer versions now: `envctl lock --update` locks those; "
        "`envctl lock --vendor` keeps package files, so that builds need no mirror",
    )


def require_architecture(
    lock: Lock, architecture: str, subject: str, *, platform: str = ""
) -> None:
    """EnvctlError unless a subject, such as an image, has the lock's architecture.

    With a `platform` in the spec, the subject must be for that platform instead.
    """
    if platform:
        require_platform(platform, architecture, subject)
        return
    if lock.architecture not in ("", architecture):
        raise EnvctlError(
            f"{FILE} is for {lock.architecture}, but {subject} is for {architecture or 'an unknown architecture'}",
            hint="a lock is for one architecture: use it on such a machine, or create it here with `envctl lock`",
        )


def require_platform(platform: str, architecture: str, subject: str) -> None:
    """EnvctlError if a subject has another architecture than its platform."""
    if architecture and architecture not in processor(platform).architectures:
        raise EnvctlError(
            f"{subject} should be for {platform}, but is for {architecture}",
            hint="remove the image (`docker image rm`) and run the same command again",
        )
