"""The initial contents of new volumes, decided once for all units that share one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from envctl.plan.model import NewVolume, Unit, Volume


def with_new_volumes(units: Sequence[Unit], owners: Mapping[str, str]) -> tuple[Unit, ...]:
    """Return the units, given in dependency order, with the initial contents of their volumes.

    `owners` are the owners in the spec, by volume. A volume starts with the content in the image of the first unit that
    can write to it. So the result does not depend on which unit starts first.
    """
    uses = Counter(volume.name for unit in units for volume in unit.run.volumes)
    first: dict[str, NewVolume] = {}
    for unit, volume in _writers_first(units):
        if uses[volume.name] > 1 or volume.name in owners:
            new = NewVolume(unit.name, unit.source, volume.target, owners.get(volume.name, ""))
            first.setdefault(volume.name, new)
    return tuple(_begun(unit, first) for unit in units) if first else tuple(units)


def _writers_first(units: Sequence[Unit]) -> list[tuple[Unit, Volume]]:
    """Return all uses of volumes, read-only ones last."""
    uses = [(unit, volume) for unit in units for volume in unit.run.volumes]
    return sorted(uses, key=lambda use: use[1].read_only)


def _begun(unit: Unit, first: Mapping[str, NewVolume]) -> Unit:
    volumes = tuple(replace(volume, new=first.get(volume.name)) for volume in unit.run.volumes)
    return replace(unit, run=replace(unit.run, volumes=volumes))
