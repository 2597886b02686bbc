"""The protocol of backends: they observe, and apply one change at a time; they decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, runtime_checkable

from envctl.errors import EnvctlError, Problem
from envctl.lazy_dataclass import dataclass
from envctl.progress import Report, no_progress

if TYPE_CHECKING:
    from envctl.backends.common.build_inputs import BuildInputs, ContainerScript, ExtraBuild
    from envctl.doctor.findings import Finding
    from envctl.doctor.host import Host
    from envctl.plan.artifact import Artifact
    from envctl.plan.changes import Change
    from envctl.plan.model import Base, Build, DockerfileBuild, Plan, Source, Unit, Volume
    from envctl.plan.scope import FoundEnvironment, Scope
    from envctl.plan.state import Observed


@dataclass(frozen=True, slots=True)
class TemplateRoles:
    """What a backend's templates are used for. Paths are relative to the backend's folder: "compose.yaml.j2"."""

    outside_images: frozenset[str] = frozenset()
    """Templates of rendered folders and of running units. All others make images: a project's own versions change its builds."""
    on_host: tuple[str, ...] = ()
    """Templates of programs that run on this host: a project's own versions need approval."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do; the contract tests require no more than this."""

    reconfigure: frozenset[str] = frozenset()
    """Fields of a unit's run that can be changed without replacing the unit."""
    executes: bool = True
    """Processes really run: there are logs, ports and files, and `exec` works."""
    installs: bool = False
    """Packages are installed into every build with apt, whatever the spec says, such as a kernel and an init system."""
    shares_kernel: bool = False
    """Units share this host's kernel: some Linux capabilities have effects outside of them."""
    machines: bool = False
    """Units run in machines: root can undo the protection of mounted folders there."""
    templates: TemplateRoles | None = None
    """What its templates are used for; None if none of them makes images or runs on this host."""
    name_server: str = ""
    """The address of the engine's own name server in each unit: its sockets are not the unit's."""


_SHOWN: Final = 100
"""Characters of a command that an error shows."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A command to run inside a unit. None means the unit's own user or directory; `env` is added to its environment.

    Output goes to the two writers as it arrives; `stdin` is read until its end. With `tty`, the
    caller's terminal is attached, including its window size, and the writers are not used.
    After `timeout` seconds the command is killed and EnvctlError is raised.
    `everything` runs it as root with all privileges that the engine can give, whatever the unit has.
    """

    argv: tuple[str, ...]
    user: str | None = None
    workdir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: BinaryIO | None = None
    stdout: Callable[[bytes], object] | None = None
    stderr: Callable[[bytes], object] | None = None
    tty: bool = False
    timeout: float | None = None
    everything: bool = False

    @property
    def shown(self) -> str:
        """The command in one short line: a script may have pages."""
        line = " ".join(" ".join(self.argv).split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a unit's process wrote; `time` is in RFC 3339 format, `stream` is stdout or stderr."""

    unit: str
    text: str
    stream: str = "stdout"
    time: str = ""


class NoEngineError(EnvctlError):
    """There is no engine on this machine, so nothing can exist."""


class NotRunningError(EnvctlError):
    """A command cannot run: its unit does not exist or is not running."""


def _no_images() -> ImageEngine:
    raise EnvctlError("there is no container engine to build images with")


def _no_base(_base: Base) -> None:
    """Without a container engine there is nothing to prepare."""


def _no_root(build: Build, _folder: Path) -> None:
    raise EnvctlError(f"the base {build.base.image} cannot be made here")


def _no_secret(_name: str) -> bytes:
    return b""


def no_build_inputs(_build: Build | DockerfileBuild) -> BuildInputs:
    """The inputs of an ordinary build: none."""
    from envctl.backends.common.build_inputs import NO_BUILD_INPUTS

    return NO_BUILD_INPUTS


def _not_busy() -> bool:
    return False


def _no_template(_template: str, _context: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a backend gets: whose resources it works on, and the services of envctl that it may use.

    `secret` returns a secret's value, and generates it if necessary; `render` fills in one of the backend's templates;
    `trust` is the CA bundle that builds need behind an inspecting proxy, or None; `images` opens a container engine;
    `have_base` makes sure that it has the image of a base; `bootstrap` makes a build of packages, texts and commands,
    on a base of the catalogue, as a root filesystem in a folder, without an engine. `template_digest` is a digest of the
    project's own templates for images, or "": other projects do not share what they make. `build_inputs` returns
    what a build gets while it runs; `busy` says whether a command is changing the environment now.
    """

    scope: Scope
    report: Report = no_progress
    secret: Callable[[str], bytes] = _no_secret
    render: Callable[[str, Mapping[str, Any]], str] = _no_template
    trust: Path | None = None
    images: Callable[[], ImageEngine] = _no_images
    have_base: Callable[[Base], None] = _no_base
    bootstrap: Callable[[Build, Path], None] = _no_root
    template_digest: str = ""
    build_inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
    busy: Callable[[], bool] = _not_busy


class Backend(Protocol):
    """Runs environments. Methods raise EnvctlError only.

    The protocols below this one are optional: a backend that supports one has its methods, too.
    """

    name: str
    capabilities: Capabilities

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """What this backend does not support in the plan, and mistakes in its options. Talks to no engine."""

    def check(self) -> None:
        """Raise EnvctlError, with the remedy as hint, if the engine cannot be used."""

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """The files of a rendered folder, which works without envctl. Talks to no engine.

        Builds from the folder trust the CA bundle `trust`.
        """

    def observe(self, plan: Plan | None = None) -> Observed:
        """The observed state of the environment; with a `plan`, including the images of its builds."""

    def apply(self, change: Change) -> None:
        """Apply one change completely. Several threads call this at the same time, for different units.

        If it was killed half-way, applying the change again must converge.
        """

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Run the unit's health probe inside it, once: whether it is healthy, and the probe's output."""

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command inside a unit; its exit code. NotRunningError if the unit is not running."""

    def logs(
        self,
        units: Sequence[str],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """The log lines of units, merged by time, oldest first.

        `since` and `until` are in seconds since 1970; with `tail`, only the last lines between them, of each unit.
        `until` is not used with `follow`.
        """

    def close(self) -> None:
        """Close connections."""


@runtime_checkable
class HostChecks(Protocol):
    """A backend that checks what its engine needs on this machine, for `envctl doctor`."""

    @staticmethod
    def host_findings(host: Host, *, images_only: bool = False) -> Sequence[Finding]:
        """Check this machine and change nothing. A method of the class: no backend is opened for it.

        With `images_only`, only what building images needs, for backends that start from images.
        """


@runtime_checkable
class RecordsHooks(Protocol):
    """A backend that records which hooks have succeeded. Others do not support `after_start` hooks."""

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Run an `after_start` hook as `exec` does; its exit code.

        If that is 0, the digest `hook` is recorded with the unit: `observe` reports it among the unit's `hooks` until
        envctl starts the unit again.
        """


@runtime_checkable
class RunsOneOffs(Protocol):
    """A backend that can run a command as a separate unit, for `envctl run`."""

    one_offs_need_unit: bool
    """Whether a one-off needs the existing unit; otherwise it is made from the plan."""

    def run_one_off(self, unit: Unit, execution: Execution, ready: Callable[[], object]) -> int:
        """Run a command with everything that a unit has: image, user, environment, network, mounts, volumes, secrets; its exit code.

        Without a command, the unit's own is run. The unit itself does not change, and the one-off is always removed.
        `ready` is called when the rest of the environment does not change any more because of it. NotRunningError if it
        needs the unit and that does not exist.
        """


@runtime_checkable
class FindsEnvironments(Protocol):
    """A backend whose engine knows all of its environments, wherever their projects are."""

    def environments(self) -> Sequence[str]:
        """The names of all environments of this checkout that have units, whether the spec has them or not."""

    def everything(self) -> Sequence[FoundEnvironment]:
        """All environments, of all projects."""

    def moved(self, former: Path) -> None:
        """Keep running units working after the project's private folder has moved from `former`."""


@runtime_checkable
class KeepsVolumes(Protocol):
    """A backend that knows more about volumes than their names."""

    def image_volumes(self, plan: Plan) -> Mapping[str, tuple[Volume, ...] | None]:
        """By unit, the volumes that its image declares and the spec does not name; None if not known yet."""

    def volume_sizes(self, volumes: Collection[str]) -> Mapping[str, int]:
        """The sizes of these volumes in bytes, for those where that is quick."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A backend that can read a unit's files from outside, whatever root may do inside."""

    def archive(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder. EnvctlError if it does not exist."""


class PathKind(StrEnum):
    """What is at a path of a unit, with links followed."""

    FOLDER = "folder"
    FILE = "file"
    NOTHING = "nothing"


@runtime_checkable
class CopiesFiles(Protocol):
    """A backend that can copy files out of and into units, for `envctl cp`. NotRunningError if a unit does not exist."""

    def path_kind(self, unit: str, path: str) -> PathKind:
        """What is at an absolute path of a unit."""

    def pack(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder, which is its first member. A link at the path itself is followed."""

    def unpack(self, unit: str, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder of a unit, with the owners and modes in the archive."""


@dataclass(frozen=True, slots=True)
class UnitProcess:
    """A process of a unit. `user` is the number of its user, `memory` the bytes of RAM that it has, None if unknown.

    `time` is the processor time that it has used, "00:01:02".
    """

    pid: int
    user: int | None
    memory: int | None
    time: str
    command: str


@runtime_checkable
class ListsProcesses(Protocol):
    """A backend that can list the processes of units, for `envctl top`."""

    def processes(self, unit: str) -> Sequence[UnitProcess]:
        """The processes of a unit, as seen from the system that it runs on. NotRunningError if it does not run."""


@dataclass(frozen=True, slots=True)
class SshHost:
    """How a machine is reached over SSH: the values of OpenSSH's options of these names, but for `units` that it has."""

    units: tuple[str, ...]
    address: str
    user: str
    key: Path
    known_hosts: Path


@runtime_checkable
class ReachedBySsh(Protocol):
    """A backend whose units are in machines with an SSH server, for `envctl ssh-config`."""

    def ssh_hosts(self) -> Sequence[SshHost]:
        """The machines that run."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """An image, box or base that nothing uses; `size` is in bytes, None if unknown, `id` is the engine's word for it."""

    kind: str
    name: str
    id: str
    size: int | None


@runtime_checkable
class CollectsGarbage(Protocol):
    """A backend that keeps what it has built, and can tell what of that nothing uses, for `envctl gc`."""

    def garbage(self, needed: Collection[str]) -> Sequence[Garbage]:
        """What no environment of any project uses, and is not `needed`: digests of builds, names of images. Never data."""

    def remove_garbage(self, garbage: Garbage) -> bool:
        """Remove it, unless something uses it by now; whether it is gone."""


@runtime_checkable
class LaysOutPlans(Protocol):
    """A backend whose units can share something, such as one machine."""

    def lay_out(self, plan: Plan) -> Plan:
        """The plan as this backend applies it: each unit includes what it shares with others. Pure.

        Names and order of the units stay the same. Every plan without `problems` can be laid out.
        """


@runtime_checkable
class MachineBuilds(Protocol):
    """A backend that makes machines from images or bases, or by building in a machine."""

    def extra_builds(self, source: Source | Base) -> Sequence[ExtraBuild]:
        """The additional builds that a unit from this source, or a machine from this base, needs.

        A build comes after those it is based on. Talks to no engine.
        """

    def builds_in_vm(self, build: Build) -> bool:
        """Whether it does this build in a machine, and needs no image of it."""

    def pin_images(self, source_ids: Mapping[str, str]) -> None:
        """From now on, make machines only from these: by build or image, its content or a verifier's `source_id`.

        `observe` then reports boxes from other sources as missing, and their units as outdated.
        """

    def box_checksum(self, base: Base) -> str:
        """The checksum of a base's box; "" if there is none."""


@runtime_checkable
class KeepsImages(Protocol):
    """A backend whose engine stores images: bases are pulled or bootstrapped into it."""

    images: Any
    """The images; an ImageStore of `envctl.bases`."""


@runtime_checkable
class ImageEngine(KeepsImages, Backend, Protocol):
    """A container engine, for backends that make machines from images, and for what inspects images."""

    def name_of(self, source: Source) -> str:
        """The name of the image of a unit's source, whether it exists or not."""

    def have(self, unit: str, build: Build | DockerfileBuild) -> str:
        """The name of a build's image, which is built if it does not exist."""

    def run_script(self, image: str, container_script: ContainerScript) -> bytes:
        """Run a script in a temporary copy of an image; its output. EnvctlError, with its errors, if it fails."""

    def export(self, image: str, folder: Path) -> None:
        """Unpack the root filesystem of an image, with owners and modes, into a folder."""

    def save(self, image: str, file: Path) -> None:
        """Write an image, without its names, to a file that another engine can load."""
