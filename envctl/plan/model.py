"""The plan: one environment, fully decided, in terms no backend owns.

`build_model` has what units are made from; this module has how they run. Sizes are bytes, durations seconds, modes octal
strings ("0644"). Fields made by `metadata_field` record where a value came from or how it is laid out; they are not
part of a unit's identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.build_model import (
    Base,
    Build,
    BuildSecret,
    BuildStage,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    DockerfileBuild,
    InstallPackages,
    MakeDirectories,
    NpmInstall,
    PipInstall,
    ReadyImage,
    RunCommand,
    Source,
    Step,
    WriteFile,
)
from envctl.plan.model_fields import added_field, metadata_field
from envctl.plan.scope import Scope

__all__ = [
    "Base",
    "Build",
    "BuildSecret",
    "BuildStage",
    "Check",
    "Condition",
    "CopyFiles",
    "CopyFromStage",
    "CreateUser",
    "DockerfileBuild",
    "Hooks",
    "InstallPackages",
    "Kind",
    "MakeDirectories",
    "Mount",
    "NewVolume",
    "NpmInstall",
    "PipInstall",
    "Plan",
    "Port",
    "Probe",
    "ProbeKind",
    "Process",
    "ReadyImage",
    "Resources",
    "Restart",
    "Run",
    "RunCommand",
    "Secret",
    "Source",
    "Step",
    "Unit",
    "Volume",
    "WriteFile",
]


class Kind(StrEnum):
    """Whether a unit keeps running, or runs once to completion."""

    SERVICE = "service"
    TASK = "task"


class Restart(StrEnum):
    """When the engine restarts a unit's process."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Condition(StrEnum):
    """The state that a dependency must reach before a dependent starts."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Process:
    """The process of a unit. With None, a ready image's own setting applies.

    `secret_env` are variables that are made of secrets, by name their templates (see `secret_templates`).
    """

    argv: tuple[str, ...] | None = None
    user: str | None = None
    workdir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    secret_env: Mapping[str, str] = field(default_factory=dict, metadata={"is_added": True})


@dataclass(frozen=True, slots=True)
class Port:
    """The port `container` is published at `address`:`host`; host 0 is a free port that `up` chooses."""

    container: int
    host: int = 0
    address: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount: the host's `source`, an absolute path, appears at `target`.

    `hidden` are folders below it, as relative paths, that appear empty: envctl's own state. `protected` are files and
    folders below it that are read-only: git's own, because git runs programs of this host that they name.
    """

    source: str
    target: str
    read_only: bool = False
    hidden: tuple[str, ...] = metadata_field(())
    protected: tuple[str, ...] = metadata_field(())


@dataclass(frozen=True, slots=True)
class NewVolume:
    """The initial content of a new volume: a copy of `target` in `source`, the image of `unit`.

    `owner` is a user of that image or a number, with a group after a colon; "" keeps the owner that the image has.
    """

    unit: str
    source: Source
    target: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """Storage that outlives the unit; `name` is its name in the spec.

    `new` is its initial content, if the volume is shared or has an `owner`; otherwise the engine copies the unit's own image.
    """

    name: str
    target: str
    read_only: bool = False
    new: NewVolume | None = metadata_field()


@dataclass(frozen=True, slots=True)
class Secret:
    """A file at `target` that only the unit's user can read. The plan has only a keyed digest of the value.

    `env` is the environment variable that the spec names as the source, or "".
    """

    name: str
    target: str
    digest: str = ""
    env: str = metadata_field("")


class ProbeKind(StrEnum):
    """How a probe checks health; all kinds run inside the unit."""

    HTTP = "http"
    TCP = "tcp"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Probe:
    """A health check: `test` is (url,), (host, port) or an argv, by kind. Durations are in seconds.

    It runs every `start_interval` (never longer than `interval`) until the unit is healthy or its `start_period` is over;
    then every `interval`.
    """

    kind: ProbeKind
    test: tuple[str, ...]
    interval: float = 5.0
    timeout: float = 3.0
    retries: int = 3
    start_period: float = 30.0
    start_interval: float = metadata_field(1.0)

    def pause(self, waited: float) -> float:
        """Seconds until the next probe of a unit that is not healthy yet, `waited` seconds after its start."""
        starting = waited < self.start_period
        return min(self.start_interval, self.interval) if starting else self.interval


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits: `cpus` in cores, `memory` in bytes; None means no limit."""

    cpus: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A command that `verify` runs inside the unit; `timeout` in seconds."""

    name: str
    argv: tuple[str, ...]
    timeout: float = 300.0
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class Hooks:
    """Commands run inside the unit after it is ready and before it is stopped."""

    after_start: tuple[tuple[str, ...], ...] = ()
    before_stop: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """How a unit runs. Its canonical text is the unit's run identity: if it changes, the unit is replaced."""

    process: Process = Process()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[Volume, ...] = ()
    secrets: tuple[Secret, ...] = ()
    probe: Probe | None = None
    restart: Restart = Restart.NO
    resources: Resources = Resources()
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = Kind.SERVICE
    platform: str = added_field("")


@dataclass(frozen=True, slots=True)
class Unit:
    """One container or VM: a service's replica or a task.

    `name` is the service's name; the second replica adds "-2", the third "-3". `origins` maps a path
    in the run ("process.env.LOG_LEVEL", "ports") to the place that set the value. `restart_on` are paths of the project:
    `watch` restarts the unit when something there changes.
    """

    name: str
    service: str
    source: Source
    run: Run = Run()
    replica: int = 1
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    hooks: Hooks = Hooks()
    where: Place | None = metadata_field()
    origins: Mapping[str, Place] = field(
        default_factory=dict, compare=False, metadata={"is_metadata": True}
    )
    restart_on: tuple[str, ...] = metadata_field(())

    @property
    def kind(self) -> Kind:
        """Whether it keeps running, or runs once to completion."""
        return self.run.kind

    def hides(self, path: str) -> bool:
        """Whether a volume or mount is at a path, rather than the content of the unit's image."""
        targets = [mount.target for mount in self.run.mounts]
        targets += [volume.target for volume in self.run.volumes]
        return any(f"{path}/".startswith(f"{target.rstrip('/')}/") for target in targets)

    def where_port(self, host: int) -> Place | None:
        """Return the place in the spec that sets a port of the host."""
        paths = [
            path
            for index, port in enumerate(self.run.ports)
            if port.host == host
            for path in (f"ports.{index}.host", f"ports.{index}")
        ]
        known = (self.origins[path] for path in (*paths, "ports") if path in self.origins)
        return next(known, self.where)


@dataclass(frozen=True, slots=True)
class Plan:
    """An environment, fully decided: its units in dependency order.

    `left_out` are services that the user did not ask for and that cannot be planned, `inactive` those whose profiles
    nobody chose. Their existing units stay.
    """

    scope: Scope
    backend: str
    units: tuple[Unit, ...]
    left_out: tuple[str, ...] = metadata_field(())
    inactive: tuple[str, ...] = metadata_field(())

    def unit(self, name: str) -> Unit:
        """Return the unit with that name. KeyError if it does not exist."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise KeyError(name)

    def replicas(self, service: str) -> tuple[Unit, ...]:
        """Return the units of a service."""
        return tuple(unit for unit in self.units if unit.service == service)

    def builds(self) -> Mapping[str, Build | DockerfileBuild]:
        """Return the builds of all units, by digest."""
        return {
            unit.source.digest: unit.source
            for unit in self.units
            if not isinstance(unit.source, ReadyImage)
        }

    def volumes(self) -> tuple[str, ...]:
        """Return the names of all volumes, sorted."""
        return tuple(sorted({volume.name for unit in self.units for volume in unit.run.volumes}))
