"""Volumes that a unit's image declares. Each is a disk that outlives the machine, like a volume in the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.layout import DesiredMachine
from envctl.backends.vagrant.machine.domain import Domain
from envctl.backends.vagrant.unit import container
from envctl.errors import EnvctlError
from envctl.plan.image_volumes import unnamed
from envctl.plan.model import Plan, Unit, Volume

KEY: Final = "own"
"""The key of these volumes in a machine's stamp."""


def of_box(unit: Unit, box: str, *, store: BoxStore, context: Context) -> tuple[Volume, ...]:
    """The volumes that the image of a unit's box declares."""
    declared = store.volumes(box)
    if declared is None:
        # The box does not record them: an earlier version made it, or it was not made from an image.
        declared = _of_image(unit, context) or ()
    return unnamed(unit, declared)


def of_plan(plan: Plan, context: Context) -> Mapping[str, tuple[Volume, ...] | None]:
    """By unit, the volumes that its image declares and the spec does not name; None if this host lacks the image."""
    volumes: dict[str, tuple[Volume, ...] | None] = {}
    for unit in plan.units:
        declared = _of_image(unit, context)
        volumes[unit.name] = None if declared is None else unnamed(unit, declared)
    return volumes


def _of_image(unit: Unit, context: Context) -> tuple[str, ...] | None:
    try:
        engine = context.images()
        declared: tuple[str, ...] | None = engine.images.volumes(engine.name_of(unit.source))
    except EnvctlError:
        return None
    return declared


def with_disks(machine: DesiredMachine, unit: Unit, volumes: tuple[Volume, ...]) -> DesiredMachine:
    """The machine, with additional disks for these volumes; its digest stays the same."""
    placed = container.runs_in_container(unit)
    disks = (
        replace(volume, target=container.volume_path(volume.name)) if placed else volume
        for volume in volumes
    )
    return replace(machine, volumes=(*machine.volumes, *disks))


def to_stamp(volumes: tuple[Volume, ...]) -> list[list[str]]:
    """These volumes in the format of a machine's stamp."""
    return [[volume.name, volume.target] for volume in volumes]


def from_stamp(domain: Domain) -> tuple[Volume, ...]:
    """The volumes that a machine was created with."""
    entries: Any = (domain.stamp or {}).get(KEY, ())
    return tuple(Volume(str(name), str(target)) for name, target in entries)
