"""Notes: one short line each on standard error, about things worth knowing that are not errors."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.host.links import followed

if TYPE_CHECKING:
    from envctl.cli.invocation import Invocation
    from envctl.plan.model import Unit


_PREFIX = "ENVCTL_VAR_"


def note_mounts(invocation: Invocation, units: Iterable[Unit]) -> None:
    """Note which files outside the project, and which sockets, are mounted into units."""
    root = followed(invocation.root)
    for unit in units:
        if unit.replica == 1:
            for note in _of_the_host(unit, root):
                invocation.note(f"note: {note}")


def _of_the_host(unit: Unit, root: Path) -> Iterator[str]:
    for index, mount in enumerate(unit.run.mounts):
        source = Path(mount.source)
        if source.is_relative_to(root) and not _is_socket(source):
            continue
        where = unit.origins.get(f"mounts.{index}") or unit.where
        place = f" ({where})" if where else ""
        sees = "can read" if mount.read_only else "can read and change"
        yield f"{unit.service} {sees} {source} on this host{place}"


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def build_notes(
    units: Sequence[Unit], root: Path, looked_at: set[str] | None = None
) -> dict[str, str]:
    """Notes about files that builds copy and that units mount, each with the place in the spec of its first use.

    Mounts in `looked_at` are skipped, and those examined now are added to it.
    """
    places: dict[str, str] = {}
    looked_at = set() if looked_at is None else looked_at
    for note, place in (*_build_notes(units), *_mount_notes(units, root, looked_at)):
        places.setdefault(note, place)
    return places


def _mount_notes(
    units: Iterable[Unit], root: Path, looked_at: set[str]
) -> Iterator[tuple[str, str]]:
    sources = dict.fromkeys(mount.source for unit in units for mount in unit.run.mounts)
    new = [source for source in sources if source not in looked_at]
    if new:
        from envctl.files.disk_notes import of_mount

        looked_at.update(new)
        for source in new:
            yield from ((note, "") for note in of_mount(Path(source), root))


def _build_notes(units: Iterable[Unit]) -> Iterator[tuple[str, str]]:
    from envctl.plan.model import Build, CopyFiles, DockerfileBuild

    for unit in units:
        if isinstance(unit.source, Build):
            for step in unit.source.all_steps:
                if isinstance(step, CopyFiles):
                    place = f" ({step.where})" if step.where else ""
                    yield from ((note, place) for note in step.tree.notes)
        elif isinstance(unit.source, DockerfileBuild):
            yield from ((note, "") for note in unit.source.tree.notes)


def note_builds(invocation: Invocation, units: Sequence[Unit]) -> None:
    """Print the notes about builds, each once."""
    note_all(invocation, build_notes(units, invocation.root))


def note_all(invocation: Invocation, notes: Mapping[str, str]) -> None:
    """Print notes, each with its place in the spec."""
    for note, place in notes.items():
        invocation.note(f"note: {note}{place}")


def note_variables(invocation: Invocation, environment: str) -> None:
    """Note each ENVCTL_VAR_… that has no effect because the spec declares no such variable."""
    variables = sorted(name for name in os.environ if name.startswith(_PREFIX))
    if not variables:
        return
    from envctl.suggest import did_you_mean

    declared = invocation.project.resolved(environment).data["vars"]
    for name in variables:
        variable = name.removeprefix(_PREFIX)
        if variable not in declared:
            hint = did_you_mean(variable, declared)
            suggestion = f"; {hint}" if "did you mean" in hint else ""
            invocation.note(
                f"note: {name} has no effect: {environment} declares no variable {variable!r}{suggestion}"
            )
