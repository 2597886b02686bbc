"""gc: remove images, boxes and bases that nothing uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.verbs.garbage import UnusedThing

_HEAD = ("BACKEND", "KIND", "NAME", "SIZE")


def gc(
    invocation: Invocation,
    *,
    yes: Annotated[bool, Option(("--yes", "-y"), "Remove without asking.")] = False,
    dry_run: Annotated[bool, Option(("--dry-run",), "Only show what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove images, boxes and bases that nothing uses.

    Shows what would be removed and its size, then asks. Keeps what the environments of all projects on this
    machine use, whether up or stopped, and what the project in this folder needs for the next `up`. Removes only what
    envctl made, and never volumes or other data (see `down --volumes`).

    Examples:
        envctl gc --dry-run
        envctl gc --yes

    JSON: an object with `unused` and `removed`, lists of objects with `backend`, `kind` (image, box, base or cache), `name`,
    `id` and `size` (bytes, or null if unknown).
    """
    from envctl.plan.text import rough_size
    from envctl.verbs import garbage as verb

    project = invocation.project if _in_project(invocation) else None
    things, unanswered = verb.unused(verb.needed_by(project), invocation.reporter)
    for text in unanswered:
        invocation.note(f"note: {text}")
    removed: Sequence[UnusedThing] = ()
    if not as_json:
        _show(invocation, things)
    if things and not dry_run:
        if not yes and not _confirmed(invocation):
            raise EnvctlError("not confirmed; nothing was removed", hint="--yes skips the question")
        removed = verb.remove(things, invocation.reporter)
    if as_json:
        data = {"unused": list(map(_data, things)), "removed": list(map(_data, removed))}
        invocation.json(data)
    elif removed:
        size = rough_size(verb.total_size(removed))
        what = counted(len(removed), "thing", "things")
        invocation.out.line(f"removed {what}, {size} at most")


def _in_project(invocation: Invocation) -> bool:
    """Whether this folder belongs to a project, even one with a broken spec."""
    try:
        return bool(invocation.root)
    except EnvctlError:
        return False


def _show(invocation: Invocation, things: Sequence[UnusedThing]) -> None:
    from envctl.plan.text import rough_size
    from envctl.verbs.garbage import total_size

    if not things:
        invocation.out.line("nothing to remove")
        return
    rows = [
        (
            thing.backend,
            thing.garbage.kind,
            thing.garbage.name,
            rough_size(thing.garbage.size) if thing.garbage.size is not None else "unknown",
        )
        for thing in things
    ]
    invocation.out.table(rows, head=_HEAD)
    what = counted(len(things), "thing", "things")
    shared = "; images share parts, so less may become free"
    invocation.out.line(f"{what}, {rough_size(total_size(things))}{shared}")


def _data(thing: UnusedThing) -> dict[str, object]:
    garbage = thing.garbage
    return {
        "backend": thing.backend,
        "kind": garbage.kind,
        "name": garbage.name,
        "id": garbage.id,
        "size": garbage.size,
    }


def _confirmed(invocation: Invocation) -> bool:
    """The user's answer; no if there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty() or not invocation.err.file.isatty():
        return False
    invocation.reporter.pause()
    invocation.err.file.write("Remove all of it? [y/N] ")
    invocation.err.file.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
