"""Problems of a plan on machines. Pure, except that it checks whether mounts are folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from envctl.backends.vagrant import layout, options
from envctl.backends.vagrant.names import SHARED
from envctl.backends.vagrant.provision.stage_problems import stage_problems
from envctl.backends.vagrant.unit import container
from envctl.errors import Place, Problem
from envctl.host.architectures import NATIVE
from envctl.plan.model import Plan, Unit

_SSH: Final = 22
_ENVCTL_FOLDERS: Final = ("/etc/envctl", "/etc/systemd/system", "/run/envctl")
_SPEC_START: Final = Place("envctl.yaml", 1, 1)


def problems(plan: Plan) -> Sequence[Problem]:
    """All problems of a plan that is not laid out yet, without duplicates."""
    unit_problems = [
        problem
        for unit in plan.units
        for problem in (*_wrong_platform(unit), *_stages(unit), *_of_unit(unit))
    ]
    plan_problems = (*_shared_volumes(plan), *layout.conflicts(plan), *_incomplete(plan))
    return tuple(dict.fromkeys([*unit_problems, *plan_problems]))


def _incomplete(plan: Plan) -> Iterator[Problem]:
    """A shared machine is made from the builds of all its units, so a unit missing from the plan is a problem."""
    shared = next((unit for unit in plan.units if layout.wants_single(unit)), None)
    if plan.left_out and shared is not None:
        yield Problem(
            shared.where or _SPEC_START,
            f"{shared.service} may share a machine with {', '.join(plan.left_out)}, which has mistakes in the spec",
            hint="`envctl validate` shows why",
        )


def _wrong_platform(unit: Unit) -> Iterator[Problem]:
    """A platform other than this host's."""
    if unit.run.platform not in ("", NATIVE.platform):
        yield Problem(
            unit.origins.get("platform") or unit.where or _SPEC_START,
            f"{unit.service}: platform {unit.run.platform} is not supported: machines on this host are {NATIVE.platform}",
            hint="remove it for this environment (`platform: null` in its overlay), or use the Docker backend",
        )


def _stages(unit: Unit) -> Iterator[Problem]:
    """Stages of a build that is done in a machine."""
    if unit.run.options.get("build") == "provision":
        yield from stage_problems(unit.service, unit.source)


def _of_unit(unit: Unit) -> Iterator[Problem]:
    where = unit.where or _SPEC_START
    for port in unit.run.ports:
        if port.protocol != "tcp":
            place = unit.origins.get("ports") or where
            yield Problem(
                place,
                f"{unit.service}: a machine publishes TCP ports only, and {port.container} is"
                f" {port.protocol.upper()}",
                hint="remove it for this environment (`ports: null` in its overlay), or use the Docker backend",
            )
        if port.container == _SSH:
            place = unit.origins.get("ports") or where
            yield Problem(
                place,
                f"{unit.service}: port {_SSH} is used by the machine's SSH server",
                hint="let the service listen on another port; `envctl shell` opens a shell inside",
            )
    for mount in unit.run.mounts:
        if not Path(mount.source).is_dir():
            place = unit.origins.get("mounts") or where
            yield Problem(
                place,
                f"{unit.service}: only folders can be mounted in a machine; {mount.source} is not a folder",
                hint="mount its parent folder, or `copy` the file in a build step",
            )
        elif "," in mount.source:
            yield Problem(
                unit.origins.get("mounts") or where,
                f"{unit.service}: a path with a comma cannot be mounted in a machine: {mount.source}",
                hint="rename the folder, or use the Docker backend: virtiofs ends the path at the comma",
            )
        hidden = next(
            (path for path in _ENVCTL_FOLDERS if f"{path}/".startswith(f"{mount.target}/")), None
        )
        if hidden is not None:
            yield Problem(
                unit.origins.get("mounts") or where,
                f"{unit.service}: nothing can be mounted at {mount.target} in a machine: it would hide {hidden},"
                " where envctl keeps the files that start units",
                hint="mount it elsewhere",
            )
    for volume in unit.run.volumes:
        if volume.new and volume.new.owner and container.runs_in_container(unit):
            yield Problem(
                unit.origins.get(f"volumes.{volume.name}.owner") or where,
                f"{unit.service}: in a machine, the image sets the owner of the volume {volume.name} of a container image",
                hint="remove `owner` for this environment, or use the Docker backend",
            )
    option_problems = options.problems(unit.run.options)
    for name, message, expected, hint in option_problems:
        yield Problem(unit.origins.get(f"options.{name}") or where, message, expected, hint)
    if not option_problems and (missing := options.missing_memory(unit)):
        yield Problem(
            unit.origins.get("options.memory") or where,
            f"{unit.service}: the machine needs {missing} MiB more for the service's limit and itself",
            hint="remove `memory`: the default is large enough",
        )


def _shared_volumes(plan: Plan) -> Iterator[Problem]:
    """Volumes that more than one machine uses."""
    owners: dict[str, str] = {}
    for unit in plan.units:
        machine = SHARED if layout.wants_single(unit) else unit.name
        for volume in unit.run.volumes:
            owner = owners.setdefault(volume.name, machine)
            if owner != machine:
                place = unit.origins.get(f"volumes.{volume.name}") or unit.where or _SPEC_START
                yield Problem(
                    place,
                    f"the volume {volume.name} is a disk and cannot be used by two machines: {owner} and {unit.name}",
                    hint="give each its own volume, or put all that use it into one machine:"
                    " `options: {vagrant: {layout: single}}`",
                )
