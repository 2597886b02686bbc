"""The plan: one environment, fully decided, in terms no backend owns.

What units are made from is in `build_model`, how they run is here. Sizes are bytes, durations seconds, modes octal
strings ("0644"). Fields made by `metadata_field` say where a value came from or how it is laid out; they are no part
of a unit's identity.
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
    CopyFiles,
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
    "Check",
    "Condition",
    "CopyFiles",
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
    """What a unit is for: to keep running, or to run once to completion."""

    SERVICE = "service"
    TASK = "task"


class Restart(StrEnum):
    """When the engine starts a unit's process again by itself."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Condition(StrEnum):
    """What a dependency must have reached before a dependent may start."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Process:
    """The process of a unit. None leaves to a ready image what the image says."""

    argv: tuple[str, ...] | None = None
    user: str | None = None
    workdir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """`container` reachable at `address`:`host`; host 0 lets the engine choose."""

    container: int
    host: int = 0
    address: str = "127.0.0.1"
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host, live inside. `source` is absolute.

    `hidden` are folders below it, by their paths from there, in whose place an empty one is seen: envctl's own state.
    `protected` are files and folders below it that can only be read: git's own, which names programs of this host.
    """

    source: str
    target: str
    read_only: bool = False
    hidden: tuple[str, ...] = metadata_field(())
    protected: tuple[str, ...] = metadata_field(())


@dataclass(frozen=True, slots=True)
class NewVolume:
    """What a volume that does not exist yet begins with: what the image of `unit`, `source`, has at `target`.

    `owner` is who it belongs to: a user of that image or a number, and a group after a colon; "" leaves it to the image.
    """

    unit: str
    source: Source
    target: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """Storage that outlives the unit; the name is the spec's.

    `new` says what it begins with where that is more than what the unit's own image has there.
    """

    name: str
    target: str
    read_only: bool = False
    new: NewVolume | None = metadata_field()


@dataclass(frozen=True, slots=True)
class Secret:
    """A file at `target`, mode 0400, the unit's user's. Only the value's keyed digest is known here.

    `env` is the environment variable the spec names as a source, if it does.
    """

    name: str
    target: str
    digest: str = ""
    env: str = metadata_field("")


class ProbeKind(StrEnum):
    """How health is asked for; all run inside the unit."""

    HTTP = "http"
    TCP = "tcp"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Probe:
    """A health check: `test` is (url,), (host, port) or an argv, by kind. Durations in seconds.

    It is asked every `start_interval`, at most, until the unit is healthy or its `start_period` is over; then every `interval`.
    """

    kind: ProbeKind
    test: tuple[str, ...]
    interval: float = 5.0
    timeout: float = 3.0
    retries: int = 3
    start_period: float = 30.0
    start_interval: float = metadata_field(1.0)

    def pause(self, waited: float) -> float:
        """Seconds between two probes of a unit that is not healthy yet, so many seconds after it was started."""
        starting = waited < self.start_period
        return min(self.start_interval, self.interval) if starting else self.interval


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits: `cpus` in whole cores, `memory` in bytes; None is no limit."""

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
    """How a unit runs. Its canonical form is the unit's run identity: a change in it replaces the unit."""

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

    `name` is the service's, with "-2", "-3", … from the second replica on. `origins` maps a path
    into the run ("process.env.LOG_LEVEL", "ports") to the place that set it.
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

    @property
    def kind(self) -> Kind:
        """Whether it keeps running or runs to completion."""
        return self.run.kind

    def where_port(self, host: int) -> Place | None:
        """The place that chose a port of the host."""
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
    """An environment decided: its units in dependency order.

    `left_out` are services of the spec that nobody asked for and that cannot be planned: what is there of them stays.
    """

    scope: Scope
    backend: str
    units: tuple[Unit, ...]
    left_out: tuple[str, ...] = metadata_field(())

    def unit(self, name: str) -> Unit:
        """The unit of that name. KeyError if there is none."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise KeyError(name)

    def replicas(self, service: str) -> tuple[Unit, ...]:
        """The units of a service."""
        return tuple(unit for unit in self.units if unit.service == service)

    def builds(self) -> Mapping[str, Build | DockerfileBuild]:
        """What has to be built, each once, by digest."""
        return {
            unit.source.digest: unit.source
            for unit in self.units
            if not isinstance(unit.source, ReadyImage)
        }

    def volumes(self) -> tuple[str, ...]:
        """The names of all volumes, sorted."""
        return tuple(sorted({volume.name for unit in self.units for volume in unit.run.volumes}))
