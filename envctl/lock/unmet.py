"""What of the packages asked for by name is not locked as it is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.lock.inputs import Input
from envctl.lock.model import Manifest
from envctl.requirements import normal

_SHOWN: Final = 5


def unmet(asked: Input, locked: Manifest) -> tuple[str, ...]:
    """A line for each: what is asked for, and what is locked; so many as a reader bears."""
    lines = list(_unmet(asked, locked))
    more = len(lines) - _SHOWN
    return (*lines[:_SHOWN], *([f"and {more} more"] if more > 0 else []))


def _unmet(asked: Input, locked: Manifest) -> Iterator[str]:
    folders = {"pip": locked.pip, "npm": locked.npm}.get(asked.kind, {})
    versions = folders.get(asked.folder, {})
    for one in asked.wanted:
        found = versions.get(normal(one.name) if asked.kind == "pip" else one.name)
        version = (found or "").partition(" ")[0]
        if found is None:
            yield f"{one.text}: not locked"
        elif one.is_met(version) is False:
            yield f"{one.text}: locked {version}"
