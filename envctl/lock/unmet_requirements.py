"""Requested packages that the lock does not have in the requested version. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.lock.inputs import Input
from envctl.lock.model import Manifest
from envctl.plan.requirements import Requirement, normal
from envctl.plan.text import first_lines

_MAX_LISTED: Final = 5


def unmet(request: Input, locked: Manifest) -> tuple[str, ...]:
    """One line for each of the first unmet requirements: the request, and the locked version."""
    lines = [
        f"{requirement.text}: locked {version}" if version else f"{requirement.text}: not locked"
        for requirement, version in _unmet(request, locked)
    ]
    return tuple(first_lines(lines, _MAX_LISTED))


def contradicted(requests: Iterable[Input], locked: Manifest) -> frozenset[str]:
    """The Python packages that are locked in another version than the requested one."""
    unmet = (pair for item in requests if item.kind == "pip" for pair in _unmet(item, locked))
    return frozenset(normal(requirement.name) for requirement, version in unmet if version)


def _unmet(request: Input, locked: Manifest) -> Iterator[tuple[Requirement, str]]:
    """Each unmet requirement, and the locked version, or "" if none is locked."""
    folders = {"pip": locked.pip, "npm": locked.npm}.get(request.kind, {})
    if request.kind == "pip" and request.folder not in folders:
        return  # the image has no packages in that folder
    versions = folders.get(request.folder, {})
    for requirement in request.requirements:
        name = requirement.name
        locked_version = versions.get(normal(name) if request.kind == "pip" else name)
        number = (locked_version or "").partition(" ")[0]
        if locked_version is None or requirement.is_met(number) is False:
            yield requirement, number
