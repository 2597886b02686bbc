"""What in a plan machines cannot do, told before anything is done. Pure but for a look at what is mounted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from envctl.backends.vagrant import container, layout, options
from envctl.backends.vagrant.names import SHARED
from envctl.errors import Place, Problem
from envctl.host.architectures import NATIVE
from envctl.plan.model import Plan, Unit

_SSH: Final = 22
_ENVCTL_FOLDERS: Final = ("/etc/envctl", "/etc/systemd/system", "/run/envctl")
_SPEC_START: Final = Place("envctl.yaml", 1, 1)


def problems(plan: Plan) -> Sequence[Problem]:
    """All of them, each once; the plan is not arranged yet."""
    unit_problems = [
        problem for unit in plan.units for problem in (*_wrong_platform(unit), *_of_unit(unit))
    ]
    plan_problems = (*_shared_volumes(plan), *layout.conflicts(plan), *_incomplete(plan))
    return tuple(dict.fromkeys([*unit_problems, *plan_problems]))


def _incomplete(plan: Plan) -> Iterator[Problem]:
    """A machine that several units share is made from all of their builds: one that cannot be planned may be among them."""
    shared = next((unit for unit in plan.units if layout.wants_single(unit)), None)
    if plan.left_out and shared is not None:
        yield Problem(
            shared.where or _SPEC_START,
            f"{shared.service} may share a machine with {', '.join(plan.left_out)}, which cannot be planned",
            hint="`envctl validate` says why",
        )


def _wrong_platform(unit: Unit) -> Iterator[Problem]:
    """A platform that machines are not of."""
    if unit.run.platform not in ("", NATIVE.platform):
        yield Problem(
            unit.origins.get("platform") or unit.where or _SPEC_START,
            f"{unit.service}: machines are {NATIVE.platform}, and its platform is {unit.run.platform}",
            hint="leave it out for this environment (`platform: null` in its overlay), or run it on docker",
        )


def _of_unit(unit: Unit) -> Iterator[Problem]:
    where = unit.where or _SPEC_START
    for port in unit.run.ports:
        if port.protocol != "tcp":
            place = unit.origins.get("ports") or where
            yield Problem(
                place,
                f"{unit.service}: only TCP ports of machines can be reached, and {port.container} is of"
                f" {port.protocol.upper()}",
                hint="leave it out for this environment (`ports: null` in its overlay), or run it on docker",
            )
        if port.container == _SSH:
            place = unit.origins.get("ports") or where
            yield Problem(
                place,
                f"{unit.service}: port {_SSH} is the machine's own SSH server",
                hint="let the service listen on another port; `envctl shell` opens a shell inside",
            )
    for mount in unit.run.mounts:
        if not Path(mount.source).is_dir():
            place = unit.origins.get("mounts") or where
            yield Problem(
                place,
                f"{unit.service}: only folders can be mounted in a machine, and {mount.source} is none",
                hint="mount the folder it is in, or `copy` it in a build step",
            )
        elif "," in mount.source:
            yield Problem(
                unit.origins.get("mounts") or where,
                f"{unit.service}: a folder with a comma in its path cannot be mounted in a machine, as {mount.source} is",
                hint="rename the folder, or run it on docker: virtiofs takes the comma for the end of the path",
            )
        hidden = next(
            (path for path in _ENVCTL_FOLDERS if f"{path}/".startswith(f"{mount.target}/")), None
        )
        if hidden is not None:
            yield Problem(
                unit.origins.get("mounts") or where,
                f"{unit.service}: nothing can be mounted at {mount.target} of a machine: {hidden} is in it,"
                " where what starts its units is written",
                hint="mount it elsewhere",
            )
    for volume in unit.run.volumes:
        if volume.new and volume.new.owner and container.runs_in_container(unit):
            yield Problem(
                unit.origins.get(f"volumes.{volume.name}.owner") or where,
                f"{unit.service}: in a machine, the volume {volume.name} of a container image belongs to whom the image says",
                hint="leave `owner` out for this environment, or run it on docker",
            )
    option_problems = options.problems(unit.run.options)
    for name, message, expected, hint in option_problems:
        yield Problem(unit.origins.get(f"options.{name}") or where, message, expected, hint)
    if not option_problems and (missing := options.missing_memory(unit)):
        yield Problem(
            unit.origins.get("options.memory") or where,
            f"{unit.service}: the machine has {missing} MiB less than the service's limit and its own needs",
            hint="leave memory out, and the machine has what they come to",
        )


def _shared_volumes(plan: Plan) -> Iterator[Problem]:
    """Volumes that more than one machine wants."""
    owners: dict[str, str] = {}
    for unit in plan.units:
        machine = SHARED if layout.wants_single(unit) else unit.name
        for volume in unit.run.volumes:
            owner = owners.setdefault(volume.name, machine)
            if owner != machine:
                place = unit.origins.get(f"volumes.{volume.name}") or unit.where or _SPEC_START
                yield Problem(
                    place,
                    f"the volume {volume.name} is a disk, which {unit.name} cannot have: {owner} has it",
                    hint="give each a volume of its own, or all that use it one machine:"
                    " `options: {vagrant: {layout: single}}`",
                )
