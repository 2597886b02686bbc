"""Assigns units to machines: each to its own, or with `layout: single` all to one. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Final
from urllib.parse import urlsplit

from envctl.backends.common.step_views import placed
from envctl.backends.vagrant import options
from envctl.backends.vagrant.names import SHARED
from envctl.backends.vagrant.unit import container
from envctl.backends.vagrant.unit.unit_paths import SECRETS
from envctl.errors import Place, Problem
from envctl.lazy_dataclass import dataclass
from envctl.plan.digest import canonical, digest
from envctl.plan.model import (
    Build,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    InstallPackages,
    Mount,
    Plan,
    ProbeKind,
    Source,
    Unit,
    Volume,
    WriteFile,
)

SINGLE: Final = "single"
_OWN_ADDRESSES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_MACHINE: Final = "machine"
"""The option of a laid-out unit that describes its shared machine."""


@dataclass(frozen=True, slots=True)
class DesiredMachine:
    """A planned machine: name, source, size, disks and mounts."""

    name: str
    source: Source
    cpus: int
    memory: int
    """MiB."""
    disk_size: str
    volumes: tuple[Volume, ...]
    mounts: tuple[Mount, ...]
    modules: tuple[str, ...]
    """Kernel modules, in addition to those that all machines load."""
    digest: str
    """The digest of all fields above. A machine with another digest is replaced."""


def is_shared(unit: Unit) -> bool:
    """Whether a unit of a laid-out plan shares its machine."""
    return _MACHINE in unit.run.options


def machine_of(unit: Unit) -> DesiredMachine:
    """The machine of a unit of a laid-out plan."""
    shared: Mapping[str, Any] = unit.run.options.get(_MACHINE, {})
    machine = DesiredMachine(
        SHARED if shared else unit.name,
        unit.source,
        shared.get("cpus") or options.cpus(unit),
        shared.get("memory") or options.memory(unit),
        shared.get("disk_size") or options.disk_size(unit),
        tuple(Volume(*fields) for fields in shared["volumes"]) if shared else tuple(_disks(unit)),
        tuple(map(_mount, shared["mounts"])) if shared else unit.run.mounts,
        container.MODULES if container.runs_in_container(unit) else (),
        "",
    )
    return replace(machine, digest=digest(machine))


def _mount(fields: Sequence[Any]) -> Mount:
    source, target, read_only, *below = fields
    return Mount(source, target, read_only, *map(tuple, below))


def _disks(unit: Unit) -> Iterator[Volume]:
    for volume in unit.run.volumes:
        target = (
            container.volume_path(volume.name)
            if container.runs_in_container(unit)
            else volume.target
        )
        yield replace(volume, target=target)


def lay_out(plan: Plan) -> Plan:
    """The plan, with one common build and machine description for units that share a machine."""
    sharing = [unit for unit in plan.units if wants_single(unit)]
    machine = _shared(sharing) if sharing else {}
    source = _combined(sharing) if sharing else None
    return replace(
        plan,
        units=tuple(
            _arranged(unit, source, machine) if wants_single(unit) else _arranged(unit, None, {})
            for unit in plan.units
        ),
    )


def wants_single(unit: Unit) -> bool:
    """Whether a unit should share a machine. The plan must not be laid out yet."""
    return unit.run.options.get("layout") == SINGLE


def _arranged(unit: Unit, source: Build | None, machine: Mapping[str, Any]) -> Unit:
    unit_options = unit.run.options
    # How its box is made and where the unit lives do not change how it runs, so they are not part of its run identity.
    run_options = {
        name: value for name, value in unit_options.items() if name not in {"build", "layout"}
    }
    if machine:
        run_options[_MACHINE] = machine
    box_source = source or unit.source
    if isinstance(box_source, Build):
        box_source = replace(box_source, strategy=str(unit_options.get("build") or options.AUTO))
    return replace(unit, source=box_source, run=replace(unit.run, options=run_options))


def _shared(units: Sequence[Unit]) -> Mapping[str, Any]:
    """The description of the shared machine as plain data, because it is part of each unit's identity."""
    limits = [unit.run.resources for unit in units]
    cpus = max(options.cpus(unit) for unit in units)
    return {
        "cpus": max(cpus, ceil(sum(limit.cpus or 0 for limit in limits))),
        "memory": options.memory_together(units),
        "disk_size": max(
            (options.disk_size(unit) for unit in units), key=lambda size: int(size[:-1])
        ),
        "volumes": [
            [item.name, item.target, item.read_only]
            for item in dict.fromkeys(volume for unit in units for volume in unit.run.volumes)
        ],
        "mounts": [
            [item.source, item.target, item.read_only, *_below(item)]
            for item in dict.fromkeys(mount for unit in units for mount in unit.run.mounts)
        ],
    }


def _below(mount: Mount) -> Sequence[Sequence[str]]:
    """The hidden and protected paths of a mount. Left out if empty, so that earlier digests remain valid."""
    if mount.protected:
        return [list(mount.hidden), list(mount.protected)]
    return [list(mount.hidden)] if mount.hidden else []


def _combined(units: Sequence[Unit]) -> Build:
    """One build with the steps of all builds: packages first, equal steps once.

    Units with the same build keep it, so that they use the same box as in separate machines.
    """
    distinct: dict[str, Build] = {}
    for unit in units:
        if isinstance(unit.source, Build):
            distinct.setdefault(unit.source.digest, unit.source)
    builds = list(distinct.values())
    if len(builds) == 1:
        return builds[0]
    steps = {canonical(step): step for build in builds for step in build.steps}
    installs = [step for step in steps.values() if isinstance(step, InstallPackages)]
    others = [step for step in steps.values() if not isinstance(step, InstallPackages)]
    identity = digest([SINGLE, [build.digest for build in builds]])
    return Build(builds[0].base, (*installs, *others), identity, builds[0].where)


# --- conflicts ------------------------------------------------------------------------------


def conflicts(plan: Plan) -> Iterator[Problem]:
    """The conflicts between units that should share a machine. The plan must not be laid out yet."""
    owners: dict[tuple[str, str], tuple[str, object]] = {}
    built_files: dict[str, str] = {}
    for unit in plan.units:
        if not wants_single(unit):
            continue
        where = unit.where or Place("envctl.yaml", 1, 1)
        if not isinstance(unit.source, Build):
            yield Problem(
                unit.source.where or where,
                f"{unit.service}: a container image needs its own machine",
                hint="give the service `options: {vagrant: {layout: machine}}`",
            )
            continue
        for kind, name, value, place in _claims(unit, unit.source):
            if kind == "file":
                built_files.setdefault(name, unit.name)
            owner, other = owners.setdefault((kind, name), (unit.name, value))
            if owner != unit.name and (other != value or kind == "port"):
                yield Problem(
                    place or where,
                    f"{unit.name} and {owner} cannot share a machine: the {kind} {name} is used by both"
                    if kind == "port"
                    else f"{unit.name} and {owner} cannot share a machine: they differ in the {kind} {name}".rstrip(),
                    hint="change one, or give one `options: {vagrant: {layout: machine}}`",
                )

    yield from _hidden([unit for unit in plan.units if wants_single(unit)], built_files)


def _hidden(units: Sequence[Unit], built: Mapping[str, str]) -> Iterator[Problem]:
    """Files of one unit's build that another unit's mount would hide."""
    for unit in units:
        for mount in unit.run.mounts:
            inside = f"{mount.target.rstrip('/')}/"
            for path, owner in built.items():
                if owner != unit.name and path.startswith(inside):
                    yield Problem(
                        unit.origins.get("mounts") or unit.where or Place("envctl.yaml", 1, 1),
                        f"{unit.name} and {owner} cannot share a machine: the mount of {unit.name} at"
                        f" {mount.target} would hide {owner}'s {path}",
                        hint="change one, or give one `options: {vagrant: {layout: machine}}`",
                    )
                    break


def _claims(unit: Unit, build: Build) -> Iterator[tuple[str, str, object, Place | None]]:
    """The requirements of a unit on its machine: kind, name, required value, and the place in the spec."""
    yield "base", "", build.base, build.where
    for step in build.steps:
        if isinstance(step, CreateUser):
            yield "user", step.name, (step.uid, step.gid, step.home), step.where
            if step.gid is None:
                yield "user with the number", str(step.uid), step.name, step.where
        elif isinstance(step, CopyFiles | WriteFile):
            for path, file in placed(step):
                yield "file", path, (file, step.owner), step.where
        elif isinstance(step, CopyFromStage):
            name = posixpath.basename(step.source) if step.target.endswith("/") else ""
            yield (
                "file",
                posixpath.join(step.target, name).rstrip("/"),
                (step.digest, step.source, step.owner),
                step.where,
            )
    for volume in unit.run.volumes:
        place = unit.origins.get(f"volumes.{volume.name}") or unit.origins.get("volumes")
        yield "volume", volume.name, volume, place
        yield "volume or mount at", volume.target, volume, place
    for mount in unit.run.mounts:
        yield "volume or mount at", mount.target, mount, unit.origins.get("mounts")
    for secret in unit.run.secrets:
        # In that folder, each unit sees only its own secrets.
        if not secret.target.startswith(f"{SECRETS}/"):
            yield "secret at", secret.target, secret, unit.origins.get("secrets")
    for port in dict.fromkeys(_listened(unit)):
        yield "port", str(port), None, unit.origins.get("ports")


def _listened(unit: Unit) -> Iterator[int]:
    """The ports that a unit listens on, according to the spec."""
    yield from (port.container for port in unit.run.ports)
    probe = unit.run.probe
    if probe is None:
        return
    if probe.kind is ProbeKind.TCP and probe.test[0] in _OWN_ADDRESSES:
        yield int(probe.test[1])
    if probe.kind is ProbeKind.HTTP:
        url = urlsplit(probe.test[0])
        if url.hostname in _OWN_ADDRESSES:
            yield url.port or (443 if url.scheme == "https" else 80)
