"""Notes about volumes: which are new, and which stay although nothing uses them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

from envctl.backends.base import Backend, KeepsVolumes
from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.image_volumes import called, parted
from envctl.plan.model import Plan, Unit, Volume
from envctl.plan.state import Observed
from envctl.plan.text import rough_size

_DELETES: Final = "`envctl down --volumes` deletes it with all other data of the environment"


class VolumeState(StrEnum):
    """The role of a volume in the plan: created by the next `up`, kept for an image's path, or unused."""

    NEW = "new"
    OF_IMAGE = "kept"
    UNUSED = "unused"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class VolumeNote:
    """A note about a volume. `size` is in bytes; None if unknown."""

    volume: str
    state: VolumeState
    text: str
    size: int | None = None
    where: Place | None = None

    def data(self) -> Mapping[str, Any]:
        """Return the note as JSON types."""
        return {
            "volume": self.volume,
            "state": str(self.state),
            "text": self.text,
            "size": self.size,
            "where": str(self.where) if self.where else None,
        }


def unused(plan: Plan, observed: Observed) -> tuple[str, ...]:
    """Return the existing volumes that no unit of the plan uses; empty if the plan is only a part of the spec."""
    if plan.left_out or plan.inactive:
        return ()
    units = {unit.name: unit for unit in plan.units}
    return tuple(sorted(name for name in observed.volumes if not _is_used(name, plan, units)))


def _is_used(name: str, plan: Plan, units: Mapping[str, Unit]) -> bool:
    unit_and_path = parted(name)
    if unit_and_path is None:
        return name in plan.volumes()
    unit = units.get(unit_and_path[0])
    return unit is not None and unit_and_path[1] not in {
        volume.target for volume in unit.run.volumes
    }


def backend_notes(backend: Backend, plan: Plan, observed: Observed) -> tuple[VolumeNote, ...]:
    """Return the notes about an environment's volumes before it is brought up, from its backend."""
    if not isinstance(backend, KeepsVolumes):
        return notes(plan, observed, image_volumes={}, sizes={})
    return notes(
        plan,
        observed,
        image_volumes=backend.image_volumes(plan),
        sizes=backend.volume_sizes(observed.volumes) if unused(plan, observed) else {},
    )


def notes(
    plan: Plan,
    observed: Observed,
    *,
    image_volumes: Mapping[str, tuple[Volume, ...] | None],
    sizes: Mapping[str, int],
) -> tuple[VolumeNote, ...]:
    """Return the notes about an environment's volumes before it is brought up."""
    left = unused(plan, observed)
    renamed = dict(_renamed(plan, observed, left))
    return (
        *renamed.values(),
        *(unused_note(name, sizes.get(name)) for name in left if name not in _old(renamed)),
        *_sized(_image_volumes(plan, observed, image_volumes), sizes),
        *_contested(plan, observed),
    )


def unused_note(name: str, size: int | None = None) -> VolumeNote:
    """Return the note about a volume that no unit uses any more."""
    text = f"volume {name} is no longer in the spec; it stays{_of(size)}: {_DELETES}"
    return VolumeNote(name, VolumeState.UNUSED, text, size)


# --- parts


def _old(renamed: Mapping[tuple[str, str], VolumeNote]) -> set[str]:
    return {old for old, _ in renamed}


def _renamed(
    plan: Plan, observed: Observed, left: Sequence[str]
) -> Iterator[tuple[tuple[str, str], VolumeNote]]:
    """Volumes that the next `up` replaces by a new one at the same path."""
    seen: set[tuple[str, str]] = set()
    for unit in plan.units:
        before = _before(unit, observed)
        for volume in unit.run.volumes:
            old = before.get(volume.target, called(unit.name, volume.target))
            pair = (old, volume.name)
            if old not in left or volume.name in observed.volumes or pair in seen:
                continue
            seen.add(pair)
            again = (
                f"to use its data, name it {old} again"
                if parted(old) is None
                else "to use its data, copy it over"
            )
            text = (
                f"volume {old} → {volume.name}: {volume.name} is new and does not have the data of {old}, "
                f"which stays; {again}; {_DELETES}"
            )
            where = unit.origins.get(f"volumes.{volume.name}") or unit.where
            yield pair, VolumeNote(volume.name, VolumeState.NEW, text, where=where)


def _before(unit: Unit, observed: Observed) -> Mapping[str, str]:
    """By target, the volumes that a unit was made with."""
    state = observed.units.get(unit.name)
    with suppress(ValueError, KeyError, TypeError):
        volumes = json.loads(state.run)["volumes"] if state else ()
        return {str(volume["target"]): str(volume["name"]) for volume in volumes}
    return {}


def _image_volumes(
    plan: Plan, observed: Observed, image_volumes: Mapping[str, tuple[Volume, ...] | None]
) -> Iterator[VolumeNote]:
    """Yield notes about volumes that images declare and the spec does not name."""
    for unit in plan.units:
        declared = {volume.name for volume in image_volumes.get(unit.name) or ()}
        targets = {volume.target for volume in unit.run.volumes}
        existing = {
            name
            for name in observed.volumes
            if (unit_and_path := parted(name))
            and unit_and_path[0] == unit.name
            and unit_and_path[1] not in targets
        }
        for name in sorted(declared | existing):
            path = name.partition(":")[2]
            text = f"{unit.name} keeps {path}, a volume of its image that is not in the spec, as {name}"
            yield VolumeNote(name, VolumeState.OF_IMAGE, text, where=unit.where)


def _sized(notes: Iterator[VolumeNote], sizes: Mapping[str, int]) -> Iterator[VolumeNote]:
    for note in notes:
        size = sizes.get(note.volume)
        yield VolumeNote(note.volume, note.state, note.text + _of(size), size, note.where)


def _contested(plan: Plan, observed: Observed) -> Iterator[VolumeNote]:
    """New volumes that units with different users write to, and of which the spec does not say whose they are."""
    writers: dict[str, list[Unit]] = {}
    for unit in plan.units:
        for volume in unit.run.volumes:
            if volume.new and not volume.new.owner and not volume.read_only:
                writers.setdefault(volume.name, []).append(unit)
    for name, units in writers.items():
        first = units[0]
        other = next((unit for unit in units if _user(unit) != _user(first)), None)
        if other is None or name in observed.volumes:
            continue
        text = (
            f"volume {name} is shared by {first.name} (user {_user(first)}) and {other.name} (user {_user(other)},"
            f" {_place(other, name)}): it begins as {first.name} has it, and {other.name} may not be able to write;"
            f" `volumes: {{{name}: {{target: …, owner: …}}}}` says whose it is"
        )
        yield VolumeNote(name, VolumeState.SHARED, text, where=_place(first, name))


def _user(unit: Unit) -> str:
    return unit.run.process.user or "of its image"


def _place(unit: Unit, volume: str) -> Place | None:
    return unit.origins.get(f"volumes.{volume}") or unit.where


def _of(size: int | None) -> str:
    """Return a size for readers, in parentheses."""
    return "" if size is None else f" ({rough_size(size)})"
