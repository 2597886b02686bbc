"""Where people work in a dev container: the service, and the folder of the project in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.git_folders import git_below
from envctl.host.private_state import hidden_below
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, Kind, Mount, Plan, Unit
from envctl.suggest import did_you_mean

PROJECT: Final = ".."
"""The project's folder, seen from the Compose file in .devcontainer."""
_SHELL: Final = "/bin/bash"


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """The plan of a dev container, the unit to work in, and the folder in it where the project is."""

    plan: Plan
    unit: Unit
    folder: str


def work_place(plan: Plan, service: str = "") -> WorkPlace:
    """Choose where to work. The plan names no path of this machine inside the project.

    The unit to work in comes first, so that it builds an image that it shares: the CLI pulls an image without a build.
    """
    unit = _chosen(plan, service)
    mount = _code_mount(plan, unit) or _workspace(plan)
    if mount not in unit.run.mounts:
        unit = replace(unit, run=replace(unit.run, mounts=(*unit.run.mounts, mount)))
    unit = _with_shell(unit)
    units = (unit, *(other for other in plan.units if other.name != unit.name))
    moved = replace(
        plan,
        scope=replace(plan.scope, root=PROJECT),
        units=tuple(_moved(other, plan.scope.root) for other in units),
    )
    return WorkPlace(moved, moved.units[0], mount.target)


def relative_source(source: str, root: str) -> str:
    """A path of this machine as seen from .devcontainer; one outside of the project stays as it is."""
    if source == root or source.startswith(root.rstrip("/") + "/"):
        return PROJECT + source[len(root.rstrip("/")) :]
    return source


def _chosen(plan: Plan, service: str) -> Unit:
    """The user's choice, or the service with mounted code, with ports, or the first one."""
    if service:
        names = [unit.service for unit in plan.units]
        if service not in names:
            hint = did_you_mean(service, names)
            raise EnvctlError(f"--service {service}: no such service in the target", hint=hint)
        return plan.replicas(service)[0]
    services = [unit for unit in plan.units if unit.kind is Kind.SERVICE] or plan.units
    if not services:
        raise EnvctlError(
            "the target has no service to work in", hint="add one below `services` in envctl.yaml"
        )
    return min(services, key=lambda unit: (_code_mount(plan, unit) is None, not unit.run.ports))


def _code_mount(plan: Plan, unit: Unit) -> Mount | None:
    """The writable mount with most of the project: the one nearest to its root."""
    return min(
        _code_mounts(plan, unit.run.mounts),
        key=lambda mount: len(Path(mount.source).parts),
        default=None,
    )


def _code_mounts(plan: Plan, mounts: Sequence[Mount]) -> Iterator[Mount]:
    for mount in mounts:
        is_inside = relative_source(mount.source, plan.scope.root) != mount.source
        if is_inside and not mount.read_only and Path(mount.source).is_dir():
            yield mount


def _workspace(plan: Plan) -> Mount:
    """A mount of the whole project, without envctl's own state."""
    root = Path(plan.scope.root)
    hidden, protected = tuple(hidden_below(root, root)), tuple(git_below(root, root))
    target = f"/workspaces/{plan.scope.project}"
    return Mount(plan.scope.root, target, hidden=hidden, protected=protected)


def _with_shell(unit: Unit) -> Unit:
    """Users that envctl creates have no login shell; terminals take the one in SHELL."""
    process = unit.run.process
    if (
        not isinstance(unit.source, Build)
        or process.user in (None, "root")
        or "SHELL" in process.env
    ):
        return unit
    changed = replace(process, env={**process.env, "SHELL": _SHELL})
    return replace(unit, run=replace(unit.run, process=changed))


def _moved(unit: Unit, root: str) -> Unit:
    mounts = [
        replace(mount, source=relative_source(mount.source, root)) for mount in unit.run.mounts
    ]
    return replace(unit, run=replace(unit.run, mounts=tuple(mounts)))
