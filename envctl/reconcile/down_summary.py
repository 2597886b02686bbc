"""Summarizes in one sentence what `down` has removed and kept. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from envctl.plan.changes import Action, Change
from envctl.plan.text import rough_size

_THINGS = {
    Action.REMOVE: ("unit", "units"),
    Action.TEAR_DOWN: ("network", "networks"),
    Action.DELETE_VOLUME: ("volume", "volumes"),
}


def down_summary(
    changes: Sequence[Change],
    volumes: Collection[str],
    sizes: Mapping[str, int],
    *,
    secrets: bool = False,
) -> str:
    """Summarize what these changes removed, and which of these volumes stay; "" if nothing existed.

    `sizes` are the known sizes of volumes in bytes; `secrets` is whether the generated secrets were deleted, too.
    """
    deleted = {change.unit for change in changes if change.action is Action.DELETE_VOLUME}
    remaining = sorted({*volumes} - deleted)
    parts = [_removed(changes, _total(deleted, sizes), secrets=secrets), _staying(remaining, sizes)]
    return "; ".join(part for part in parts if part)


def _removed(changes: Sequence[Change], size: str, *, secrets: bool) -> str:
    things = []
    for action, names in _THINGS.items():
        count = sum(change.action is action for change in changes)
        if count:
            things.append(f"{count} {names[count != 1]}{size * (action is Action.DELETE_VOLUME)}")
    if not things:
        return ""
    things += ["the generated secrets"] if secrets else []
    *first, last = things
    return f"removed {', '.join(first)} and {last}" if first else f"removed {last}"


def _staying(volumes: Sequence[str], sizes: Mapping[str, int]) -> str:
    if not volumes:
        return ""
    stay, them = ("stays", "it") if len(volumes) == 1 else ("stay", "them")
    names = ", ".join(volumes) + _total(volumes, sizes)
    return f"data {stay}: {names}; `envctl down --volumes` deletes {them}"


def _total(volumes: Collection[str], sizes: Mapping[str, int]) -> str:
    """Their size in brackets, if all of it is known."""
    if not volumes or not all(name in sizes for name in volumes):
        return ""
    return f" ({rough_size(sum(sizes[name] for name in volumes))})"
