"""What of the packages asked for by name is not locked as it is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.lock.inputs import Input
from envctl.lock.model import Manifest
from envctl.plan.requirements import Requirement, normal

_SHOWN: Final = 5


def unmet(asked: Input, locked: Manifest) -> tuple[str, ...]:
    """A line for each: what is asked for, and what is locked; so many as a reader bears."""
    lines = [
        f"{one.text}: locked {version}" if version else f"{one.text}: not locked"
        for one, version in _unmet(asked, locked)
    ]
    more = len(lines) - _SHOWN
    return (*lines[:_SHOWN], *([f"and {more} more"] if more > 0 else []))


def contradicted(asked: Iterable[Input], locked: Manifest) -> frozenset[str]:
    """The packages of Python that are locked in another version than the one that is asked for."""
    unmet = (pair for one in asked if one.kind == "pip" for pair in _unmet(one, locked))
    return frozenset(normal(one.name) for one, version in unmet if version)


def _unmet(asked: Input, locked: Manifest) -> Iterator[tuple[Requirement, str]]:
    """What is asked for and not locked so, and the version that is, or ""."""
    folders = {"pip": locked.pip, "npm": locked.npm}.get(asked.kind, {})
    if asked.kind == "pip" and asked.folder not in folders:
        return  # it was not found where it is said to be
    versions = folders.get(asked.folder, {})
    for one in asked.wanted:
        found = versions.get(normal(one.name) if asked.kind == "pip" else one.name)
        version = (found or "").partition(" ")[0]
        if found is None or one.is_met(version) is False:
            yield one, version
