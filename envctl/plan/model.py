"""The plan: one environment, fully decided, in terms no backend owns.

Sizes are bytes, durations seconds, modes octal strings ("0644"). Fields marked `about` say
where a value came from or how it is laid out; they are no part of a unit's identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, TypeAlias

from envctl.errors import Place
from envctl.host.source_tree import NOTHING, SourceTree
from envctl.lazy_dataclass import dataclass
from envctl.plan.scope import Scope


def about(default: Any = None) -> Any:
    """A field that two equal things may differ in: left out of digests and comparisons."""
    return field(default=default, compare=False, metadata={"about": True})


def later(default: Any) -> Any:
    """A field that came later: as long as it is empty, digests are what they were without it."""
    return field(default=default, metadata={"later": True})


# --- building -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Base:
    """What a build starts from: an image on a container engine, a box on a VM provider.

    `name` is the catalogue's ("debian:bookworm") or empty; `snapshot` a dated mirror, if one is set. With a `platform`
    ("linux/arm64") the image is of that one, and `image` a name of its own; "" is the engine's.
    """

    name: str
    image: str
    box: str = ""
    snapshot: str = ""
    where: Place | None = about()
    platform: str = later("")
    platform_at: Place | None = about()


@dataclass(frozen=True, slots=True)
class InstallPackages:
    """Packages of the distribution, in sorted order."""

    names: tuple[str, ...]
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class CreateUser:
    """A system user, made unless the packages already made it; `uid` doubles as its gid."""

    name: str
    uid: int
    home: str
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class MakeDirectories:
    """Directories that the unit's user owns: made if missing, left alone if there."""

    paths: tuple[str, ...]
    owner: str
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class CopyFiles:
    """A file or folder of the project (`source`, relative, POSIX) put at `target`.

    A folder's content goes into `target`; a file goes into `target` if that ends in "/", else it
    becomes `target`. `content` is the hash of what is copied, names and execute bits included; `tree` is what that
    consists of, without what is left out.
    """

    source: str
    target: str
    content: str
    owner: str = ""
    mode: str = ""
    tree: SourceTree = about(NOTHING)
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A text made at plan time (the `template` step)."""

    target: str
    text: str
    owner: str = ""
    mode: str = "0644"
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class BuildSecret:
    """A secret that a command reads at /run/secrets/NAME while it builds, and that is in nothing it makes.

    What is built is known by its name: another value builds nothing anew. `env` is the environment variable the spec names
    as a source, if it does.
    """

    name: str
    env: str = about("")


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A command while building: `argv` as it is; a shell script is ("/bin/sh", "-ec", script)."""

    argv: tuple[str, ...]
    user: str = "root"
    workdir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    where: Place | None = about()
    secrets: tuple[BuildSecret, ...] = later(())


@dataclass(frozen=True, slots=True)
class PipInstall:
    """Python packages, into a virtual environment made if missing. `requirements` is a path inside."""

    venv: str
    requirements: str = ""
    packages: tuple[str, ...] = ()
    where: Place | None = about()


@dataclass(frozen=True, slots=True)
class NpmInstall:
    """`npm ci` (or `install` where no lock file is) in `directory`, or named packages globally."""

    directory: str = ""
    packages: tuple[str, ...] = ()
    production: bool = False
    where: Place | None = about()


Step: TypeAlias = (
    InstallPackages
    | CreateUser
    | MakeDirectories
    | CopyFiles
    | WriteFile
    | RunCommand
    | PipInstall
    | NpmInstall
)


@dataclass(frozen=True, slots=True)
class Build:
    """An image to be made: a base and ordered steps.

    `digest` names what it is (see `digest.build_digest`), however its package installs are laid
    out in steps; units with the same digest share one image. `how` is a wish to the backend, in its
    own words, of the way it is made. `template_digest` is the digest of the project's own templates
    it is made by, "" without any; `digest` covers it.
    """

    base: Base
    steps: tuple[Step, ...]
    digest: str = ""
    where: Place | None = about()
    how: str = about("")
    template_digest: str = about("")

    @property
    def platform(self) -> str:
        """The platform that it is made for; "" for the engine's own."""
        return self.base.platform

    @property
    def platform_at(self) -> Place | None:
        """The place that asks for that platform."""
        return self.base.platform_at


@dataclass(frozen=True, slots=True)
class DockerfileBuild:
    """An image made from the project's own Dockerfile; paths are project-relative.

    `dockerfile_digest` is that of the Dockerfile itself; `digest` covers it. `tree` is what the context consists of,
    `own_file` the Dockerfile. `platform` is the one that it is made for, "" for the engine's own.
    """

    dockerfile: str
    context: str
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    digest: str = ""
    tree: SourceTree = about(NOTHING)
    own_file: SourceTree = about(NOTHING)
    where: Place | None = about()
    dockerfile_digest: str = about("")
    platform: str = later("")
    platform_at: Place | None = about()


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """A container image used as it is; of a `platform`, if one is given, and not of the engine's own."""

    image: str
    where: Place | None = about()
    platform: str = later("")


Source: TypeAlias = Build | DockerfileBuild | ReadyImage


# --- running --------------------------------------------------------------------------------


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
    hidden: tuple[str, ...] = about(())
    protected: tuple[str, ...] = about(())


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
    new: NewVolume | None = about()


@dataclass(frozen=True, slots=True)
class Secret:
    """A file at `target`, mode 0400, the unit's user's. Only the value's keyed digest is known here.

    `env` is the environment variable the spec names as a source, if it does.
    """

    name: str
    target: str
    digest: str = ""
    env: str = about("")


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
    start_interval: float = about(1.0)

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
    where: Place | None = about()


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
    platform: str = later("")


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
    where: Place | None = about()
    origins: Mapping[str, Place] = field(
        default_factory=dict, compare=False, metadata={"about": True}
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
    left_out: tuple[str, ...] = about(())

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
