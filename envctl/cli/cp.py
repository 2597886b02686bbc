"""cp: copy files between this host and a unit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from envctl.cli.declare import Argument
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.plan.target import Target as Goal
    from envctl.verbs.cp import CopyResult

_HINT = "envctl cp [TARGET] UNIT:PATH DESTINATION, or envctl cp [TARGET] SOURCE UNIT:PATH"


def cp(
    invocation: Invocation,
    words: Annotated[
        list[str],
        Argument(
            "[TARGET] SOURCE DESTINATION",
            "TARGET is ENV or ENV@BACKEND, by default as for other commands. One of SOURCE and DESTINATION is UNIT:PATH,"
            " the other a path of this host, or - for a tar archive on standard input or output.",
        ),
    ],
) -> None:
    """Copy files or folders between this host and a unit.

    Works like `docker cp`: DESTINATION is created, or copied into if it is a folder; a SOURCE ending in `/.` means the
    content of the folder; a relative PATH starts at `/`. What is copied into a unit belongs to the service's user.
    Containers need not be running.

    Nothing is written outside DESTINATION: an archive that leads out of it is refused, and links that lead out of
    what is copied are left out.

    Examples:
        envctl cp dev web:/srv/web/app.log .
        envctl cp dev seed.sql db:/tmp/
    """
    *target, source, destination = words if len(words) > 1 else ("", "", "")
    if not source or len(target) > 1:
        raise UsageError("a source and a destination are needed", hint=_HINT)
    goal = invocation.target(target[0] if target else None)
    inside = [_split(source), _split(destination)]
    if (inside[0] is None) == (inside[1] is None):
        raise UsageError("one of source and destination has to be UNIT:PATH", hint=_HINT)
    result = (
        _copy_from(invocation, goal, *inside[0], to=destination)
        if inside[0] is not None
        else _copy_to(invocation, goal, *(inside[1] or ("", "")), source=source)
    )
    if result is not None:
        for text in result.left_out:
            invocation.note(f"note: not copied: {text}")
        what = counted(result.count, "file, folder or link", "files, folders and links")
        invocation.note(f"copied {what}")


def _split(word: str) -> tuple[str, str] | None:
    """The unit and path in UNIT:PATH; None if the word is a path of this host, such as ./a:b."""
    unit, colon, path = word.partition(":")
    return (unit, path) if colon and unit and "/" not in unit and unit != "." else None


def _copy_from(
    invocation: Invocation, goal: Goal, unit: str, path: str, *, to: str
) -> CopyResult | None:
    from envctl.verbs import cp as verb

    if to != "-":
        return verb.copy_from(invocation.project, goal, unit, path, to=Path(to))
    for chunk in verb.read_archive(invocation.project, goal, unit, path):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return None


def _copy_to(
    invocation: Invocation, goal: Goal, unit: str, path: str, *, source: str
) -> CopyResult | None:
    from envctl.verbs import cp as verb

    if source != "-":
        return verb.copy_to(invocation.project, goal, unit, path, source=source)
    verb.write_archive(invocation.project, goal, unit, path, archive=sys.stdin.buffer)
    return None
