"""Volumes that an image declares (`VOLUME`) and the spec does not name: each unit has its own, which outlives it. Pure.

They are named UNIT:PATH, which no volume of a spec can be.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import replace

from envctl.plan.model import Build, Plan, Source, Unit, Volume

_SECRETS = "/run/secrets"


def called(unit: str, path: str) -> str:
    """Return the name of the volume for a path of a unit's image."""
    return f"{unit}:{path}"


def parted(name: str) -> tuple[str, str] | None:
    """Return the unit and the path of such a volume; None for a volume of the spec."""
    unit, colon, path = name.partition(":")
    return (unit, path) if colon else None


def unnamed(unit: Unit, declared: Collection[str]) -> tuple[Volume, ...]:
    """Volumes for the paths that an image declares, except paths where the spec mounts something."""
    run = unit.run
    used = {thing.target for thing in run.mounts} | {thing.target for thing in run.volumes}
    used |= (
        {thing.target for thing in run.secrets}
        | {*(run.options.get("tmpfs") or ())}
        | ({_SECRETS} if run.secrets else set())
    )
    paths = {posixpath.normpath(posixpath.join("/", path)) for path in declared} - {"/", "//"}
    return tuple(Volume(called(unit.name, path), path) for path in sorted(paths - used))


def may_declare(source: Source) -> bool:
    """Whether a unit's source may declare volumes. A base of the catalogue does not."""
    return not isinstance(source, Build) or not source.base.name


def with_volumes(unit: Unit, more: tuple[Volume, ...]) -> Unit:
    """Return the unit with these additional volumes."""
    run = replace(unit.run, volumes=(*unit.run.volumes, *more))
    return replace(unit, run=run) if more else unit


def plan_with_volumes(plan: Plan, more: Mapping[str, tuple[Volume, ...] | None]) -> Plan:
    """Return the plan with the volumes that its units' images declare, as far as these are known."""
    units = tuple(with_volumes(unit, more.get(unit.name) or ()) for unit in plan.units)
    return replace(plan, units=units)
