"""Secrets, mounts and volumes whose paths overlap. Pure.

A secret's file below a mount would be written into a folder of the host.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from envctl.errors import Place, Problem
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Unit

SECRETS: Final = "/run/secrets"
_NOWHERE: Final = Place("envctl.yaml", 1, 1)
_LINKS: Final = (
    *(("/var/run", "/run"), ("/var/lock", "/run/lock")),
    *((f"/{name}", f"/usr/{name}") for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")),
)
"""Symbolic links that distributions have, and their targets."""
_KERNEL: Final = ("/proc", "/sys", "/dev")
"""Folders whose files belong to the kernel."""
_WRITTEN: Final = ("/etc",)
"""Where engines write files when a unit starts, such as its host name."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """A mount or volume: its name, its target, and its place in the spec."""

    name: str
    target: str
    where: Place | None


def overlaps(unit: Unit) -> Iterator[Problem]:
    """Secrets inside mounts, volumes or other secrets; and mounts over files that an engine writes."""
    things = list(_things(unit))
    for thing in things:
        place = canonical(thing.target)
        if thing.name.startswith("the mount") and place in (*_WRITTEN, *_KERNEL):
            yield Problem(
                thing.where or unit.where or _NOWHERE,
                f"{unit.service}: {thing.name} cannot be at {thing.target}: files are written there"
                " whenever a unit starts",
                hint="mount it elsewhere, or mount single files and folders below it",
            )
    if not unit.run.secrets:
        return
    first = _where(unit, 0)
    for thing in things:
        place = canonical(thing.target)
        if is_within(place, SECRETS) or is_within(SECRETS, place):
            yield Problem(
                thing.where or unit.where or _NOWHERE,
                f"{unit.service}: {thing.name} at {thing.target} overlaps {SECRETS}, where its secrets are"
                f" ({first})",
                hint="mount it elsewhere",
            )
    yield from _of_secrets(unit, things)


def _of_secrets(unit: Unit, things: list[_Thing]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for index, secret in enumerate(unit.run.secrets):
        place, where = canonical(secret.target), _where(unit, index)
        hint = f"remove its target: it will be at {SECRETS}/{secret.name} then"
        shown = f"{unit.service}: the secret {secret.name} cannot be at {secret.target}"
        over = next((kernel_path for kernel_path in _KERNEL if is_within(place, kernel_path)), None)
        if over:
            yield Problem(where, f"{shown}: {over} is the kernel's", hint=hint)
        for thing in things:
            at = canonical(thing.target)
            if is_within(place, SECRETS) and is_within(at, SECRETS):
                continue
            if is_within(place, at) or is_within(at, place):
                at_line = f" ({thing.where})" if thing.where else ""
                how = "is in" if is_within(place, at) else "would be a folder for"
                yield Problem(
                    where, f"{shown}: that {how} {thing.name} at {thing.target}{at_line}", hint=hint
                )
        for other, name in seen.items():
            if is_within(place, other) or is_within(other, place):
                yield Problem(where, f"{shown}: the secret {name} is at {other}", hint=hint)
        seen[place] = secret.name


def canonical(path: str) -> str:
    """Return a path inside a unit, with distributions' links followed."""
    normal = posixpath.normpath(path)
    for link, target in _LINKS:
        if is_within(normal, link):
            return target + normal.removeprefix(link)
    return normal


def is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder or inside it."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _things(unit: Unit) -> Iterator[_Thing]:
    origins = unit.origins
    for index, mount in enumerate(unit.run.mounts):
        where = origins.get(f"mounts.{index}") or origins.get("mounts")
        yield _Thing(f"the mount {mount.source}", mount.target, where)
    for volume in unit.run.volumes:
        where = origins.get(f"volumes.{volume.name}") or origins.get("volumes")
        yield _Thing(f"the volume {volume.name}", volume.target, where)


def _where(unit: Unit, index: int) -> Place:
    paths = (f"secrets.{index}.target", f"secrets.{index}", "secrets")
    return next(
        (unit.origins[path] for path in paths if path in unit.origins), unit.where or _NOWHERE
    )
