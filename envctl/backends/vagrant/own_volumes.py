"""Volumes that a unit's image declares: a disk each, which outlives the machine as those of the spec do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from envctl.backends.base import Context
from envctl.backends.vagrant import container
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.domain import Domain
from envctl.backends.vagrant.layout import Machine
from envctl.errors import EnvctlError
from envctl.plan.image_volumes import unnamed
from envctl.plan.model import Plan, Unit, Volume

KEY: Final = "own"
"""What they are called in a machine's stamp."""


def of_box(unit: Unit, box: str, *, boxes: Boxes, context: Context) -> tuple[Volume, ...]:
    """The volumes that a unit has because its box's image declares them."""
    declared = boxes.volumes(box)
    if declared is None:
        # A box that does not tell, of an earlier version or of no image at all.
        declared = _of_image(unit, context) or ()
    return unnamed(unit, declared)


def of_plan(plan: Plan, context: Context) -> Mapping[str, tuple[Volume, ...] | None]:
    """By unit, what its image declares and the spec does not name; None where the image is not at hand."""
    found: dict[str, tuple[Volume, ...] | None] = {}
    for unit in plan.units:
        declared = _of_image(unit, context)
        found[unit.name] = None if declared is None else unnamed(unit, declared)
    return found


def _of_image(unit: Unit, context: Context) -> tuple[str, ...] | None:
    try:
        engine = context.images()
        declared: tuple[str, ...] | None = engine.images.volumes(engine.name_of(unit.source))
    except EnvctlError:
        return None
    return declared


def with_disks(machine: Machine, unit: Unit, own: tuple[Volume, ...]) -> Machine:
    """The machine, to be made with disks for these, too; it counts as the same one."""
    placed = container.is_contained(unit)
    disks = (replace(one, target=container.at(one.name)) if placed else one for one in own)
    return replace(machine, volumes=(*machine.volumes, *disks))


def noted(own: tuple[Volume, ...]) -> list[list[str]]:
    """What a machine's stamp has of them."""
    return [[one.name, one.target] for one in own]


def of_domain(domain: Domain) -> tuple[Volume, ...]:
    """What a machine was made with."""
    kept: Any = (domain.stamp or {}).get(KEY, ())
    return tuple(Volume(str(name), str(target)) for name, target in kept)
