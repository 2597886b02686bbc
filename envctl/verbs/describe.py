"""`describe`: an overview of an environment on one screen. It reads no values of secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from envctl.backends.base import Backend, Execution, KeepsVolumes
from envctl.backends.common.capped import CappedBuffer
from envctl.backends.common.parallel import all_at_once
from envctl.definition.differences import differences
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, InstallPackages, Plan, ReadyImage, Unit
from envctl.plan.platforms import plain_name
from envctl.plan.state import Observed, Status
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.status import VOLUME, Row, status

_ANSWER_TIME = 15.0
"""How many seconds to wait for the package versions of a unit."""
_MOST_OUTPUT = 256 * 1024


@dataclass(frozen=True, slots=True)
class UnitDescription:
    """A unit: its row in `status`, its source, and the versions of the packages that the spec names."""

    row: Row
    source: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VolumeDescription:
    """A volume and the services that use it; `size` is in bytes, None if unknown."""

    name: str
    size: int | None
    exists: bool
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecretDescription:
    """A secret: where its value comes from, and the services that read it."""

    name: str
    source: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """An environment. `differences` holds, for each other environment, the paths of the spec that differ."""

    environment: str
    backend: str
    project: str
    folder: str
    units: tuple[UnitDescription, ...]
    volumes: tuple[VolumeDescription, ...]
    secrets: tuple[SecretDescription, ...]
    logins: tuple[str, ...]
    differences: Mapping[str, tuple[str, ...]]


def describe(project: Project, target: Target) -> Description:
    """Describe an environment, whether it is up or not."""
    session = Session(project, target)
    session.include_existing()
    plan, observed = session.plan, session.observe()
    rows = [row for row in status(project, target) if row.kind != VOLUME]
    packages = _packages(session.backend, plan, observed)
    units = {unit.name: unit for unit in plan.units}
    return Description(
        target.environment,
        session.backend.name,
        plan.scope.project,
        plan.scope.root,
        tuple(
            UnitDescription(row, _source(units.get(row.unit)), packages.get(row.unit, {}))
            for row in rows
        ),
        _volumes(session.backend, plan, observed),
        _secrets(session, plan),
        tuple(
            f"envctl shell {target} {name}"
            for name, state in observed.units.items()
            if state.status is Status.RUNNING and session.backend.capabilities.executes
        ),
        _differences(project, target),
    )


def _source(unit: Unit | None) -> str:
    if unit is None:
        return "not in the spec"
    source = unit.source
    if isinstance(source, ReadyImage):
        return f"image {plain_name(source.image)[0]}"
    if isinstance(source, Build):
        names = [stage.name for stage in source.stages]
        stages = f", with the stage{'s'[: len(names) - 1]} {', '.join(names)}" if names else ""
        return f"on {source.base.name or plain_name(source.base.image)[0]}{stages}"
    return source.dockerfile


def _packages(backend: Backend, plan: Plan, observed: Observed) -> Mapping[str, Mapping[str, str]]:
    """By running unit, the versions of the packages that the spec names."""
    if not backend.capabilities.executes:
        return {}
    units = [
        unit
        for unit in plan.units
        if _named_packages(unit)
        and (state := observed.units.get(unit.name))
        and state.status is Status.RUNNING
    ]
    versions = all_at_once(lambda unit: _versions(backend, unit), units)
    return {unit.name: packages for unit, packages in zip(units, versions, strict=True)}


def _named_packages(unit: Unit) -> Sequence[str]:
    if not isinstance(unit.source, Build):
        return ()
    steps = (step for step in unit.source.steps if isinstance(step, InstallPackages))
    # A name may include a version: postgresql=15+248.
    return sorted({name.partition("=")[0] for step in steps for name in step.names})


def _versions(backend: Backend, unit: Unit) -> Mapping[str, str]:
    output = CappedBuffer(_MOST_OUTPUT)
    argv = ("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *_named_packages(unit))
    with suppress(EnvctlError):
        backend.exec(unit.name, Execution(argv, stdout=output, timeout=_ANSWER_TIME))
    lines = (line.split(" ") for line in output.text.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2 and words[1]}


def _volumes(backend: Backend, plan: Plan, observed: Observed) -> tuple[VolumeDescription, ...]:
    names = sorted({*plan.volumes(), *observed.volumes})
    sizes: Mapping[str, int] = {}
    if isinstance(backend, KeepsVolumes):
        sizes = backend.volume_sizes(observed.volumes)
    return tuple(
        VolumeDescription(
            name, sizes.get(name), name in observed.volumes, _services_with_volume(plan, name)
        )
        for name in names
    )


def _services_with_volume(plan: Plan, name: str) -> tuple[str, ...]:
    users = (
        unit.service for unit in plan.units for volume in unit.run.volumes if volume.name == name
    )
    return tuple(dict.fromkeys(users))


def _secrets(session: Session, plan: Plan) -> tuple[SecretDescription, ...]:
    declared = session.resolved.data["secrets"] if session.resolved else {}
    return tuple(
        SecretDescription(
            name,
            _secret_source(secret),
            tuple(
                dict.fromkeys(
                    unit.service
                    for unit in plan.units
                    if any(used.name == name for used in unit.run.secrets)
                )
            ),
        )
        for name, secret in declared.items()
    )


def _secret_source(secret: Mapping[str, object]) -> str:
    """The source of a secret's value, in the order in which sources are tried."""
    sources = []
    if secret.get("env"):
        sources.append(f"variable {secret['env']}")
    if secret.get("file"):
        sources.append(f"file {secret['file']}")
    if secret.get("command"):
        sources.append("a command")
    if secret.get("generate"):
        sources.append("generated")
    return ", else ".join(sources)


def _differences(project: Project, target: Target) -> Mapping[str, tuple[str, ...]]:
    spec = project.resolved(target.environment)
    paths: dict[str, tuple[str, ...]] = {}
    for name in project.environments():
        if name != target.environment:
            with suppress(EnvctlError):
                rows = differences(spec, project.resolved(name))
                paths[name] = tuple(difference.path for difference in rows)
    return paths
