"""What a backend is: a small protocol that observes, applies one change at a time, and decides nothing."""

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
    from envctl.doctor.finding import Finding
    from envctl.doctor.host import Host
    from envctl.plan.artifact import Artifact
    from envctl.plan.changes import Change
    from envctl.plan.model import Base, Build, DockerfileBuild, Plan, Source, Unit, Volume
    from envctl.plan.scope import FoundEnvironment, Scope
    from envctl.plan.state import Observed


@dataclass(frozen=True, slots=True)
class TemplateRoles:
    """What becomes of a backend's templates; each is named as below its own folder: "compose.yaml.j2"."""

    outside_images: frozenset[str] = frozenset()
    """Templates of rendered folders and of running units. All others make images: a project's own are part of its builds."""
    on_host: tuple[str, ...] = ()
    """Templates that become programs run on this host: a project's own need approval."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do; the contract suite asks for no more than this."""

    reconfigure: frozenset[str] = frozenset()
    """Fields of a unit's run that are changed in the living unit, which is not replaced for them."""
    executes: bool = True
    """Processes really run: exec, logs, ports and files can be looked at."""
    installs: bool = False
    """What units are built on is given packages by apt, whatever the spec installs: a kernel, an init."""
    shares_kernel: bool = False
    """Units run on this host's kernel: some Linux capabilities reach beyond them."""
    machines: bool = False
    """Units run in machines: root of one can undo there what protects a mounted folder."""
    templates: TemplateRoles | None = None
    """What becomes of its templates; None if none of them makes images, or runs on this host."""


_SHOWN: Final = 100
"""Characters of a command that an error shows."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command runs inside a unit. None takes the unit's own user, directory, environment.

    Output goes to the two writers as it comes; `stdin` is read until its end. With `tty` the
    caller's terminal is attached, window size included, and the writers are not used.
    `timeout` is in seconds; when it passes the command is killed and EnvctlError is raised.
    `everything` runs it as root, with all rights that the engine can give, whatever the unit's own are.
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
        """The command in a short line: a script may be pages long."""
        line = " ".join(" ".join(self.argv).split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line a unit's process wrote; `time` is RFC 3339, `stream` is stdout or stderr."""

    unit: str
    text: str
    stream: str = "stdout"
    time: str = ""


class NoEngineError(EnvctlError):
    """There is no engine on this machine: nothing can be there."""


class NotRunningError(EnvctlError):
    """A command was to run in a unit that is not there, or does not run."""


def _no_images() -> ImageEngine:
    raise EnvctlError("there is no container engine here to make images with")


def _no_base(_base: Base) -> None:
    """It is at hand, or will be missed."""


def _no_root(build: Build, _folder: Path) -> None:
    raise EnvctlError(f"the base {build.base.image} cannot be made here")


def _no_secret(_name: str) -> bytes:
    return b""


def no_build_inputs(_build: Build | DockerfileBuild) -> BuildInputs:
    """Nothing but the network."""
    from envctl.backends.common.build_inputs import NO_BUILD_INPUTS

    return NO_BUILD_INPUTS


def _not_busy() -> bool:
    return False


def _no_template(_template: str, _context: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a backend is given: whose resources it works on, and the services of envctl it may use.

    `secret` gives a secret's value (made now, if it is generated and not there yet);
    `render` fills one of the backend's templates; `trust` is the CA bundle a host behind an
    inspecting proxy needs while building, or None; `images` opens a container engine, `have_base` has
    the image of a base in it; `bootstrap` makes a build of packages, texts and commands, on a base of the
    catalogue, as a root filesystem in a folder, without an engine. `recipe` is a digest of the project's own
    templates that images are made from, or "": what is made by them is no other project's. `build_inputs` says
    what a build is given while it runs; `busy` whether a command is changing the environment now.
    """

    scope: Scope
    report: Report = no_progress
    secret: Callable[[str], bytes] = _no_secret
    render: Callable[[str, Mapping[str, Any]], str] = _no_template
    trust: Path | None = None
    images: Callable[[], ImageEngine] = _no_images
    have_base: Callable[[Base], None] = _no_base
    bootstrap: Callable[[Build, Path], None] = _no_root
    recipe: str = ""
    build_inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
    busy: Callable[[], bool] = _not_busy


class Backend(Protocol):
    """A place where environments run. All methods may raise EnvctlError, and nothing else.

    What not every backend can do is in the protocols below this one: a backend that can has their methods, too.
    """

    name: str
    capabilities: Capabilities

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """What in the plan this backend cannot do, or does not understand. Talks to no engine."""

    def check(self) -> None:
        """Raise EnvctlError, with the remedy as hint, unless the engine can be worked with."""

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """The rendered folder: complete, usable without envctl. Talks to no engine.

        With `trust`, a CA bundle, what is built from the folder trusts it while building.
        """

    def observe(self, plan: Plan | None = None) -> Observed:
        """What of the environment exists; `plan` names the builds whose images are asked for."""

    def apply(self, change: Change) -> None:
        """Do one change, whole. Called from several threads at once, for different units.

        Doing it again after having been killed in the middle must converge.
        """

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Run the unit's health probe inside it, once: is it healthy, and what the probe printed."""

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command inside a unit; its exit code. NotRunningError unless the unit runs."""

    def logs(
        self,
        units: Sequence[str],
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """What the units' processes wrote, oldest first, merged by time.

        `since` and `until` are seconds since 1970; `tail` is how many of the last lines between them, of each unit.
        `until` is not used with `follow`.
        """

    def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class HostChecks(Protocol):
    """A backend that knows what its engine needs on this machine, for `envctl doctor`."""

    @staticmethod
    def host_findings(host: Host, *, images_only: bool = False) -> Sequence[Finding]:
        """Look at this machine, and change nothing; asked of the class, which connects to nothing.

        With `images_only` it is about what making images needs, for backends that start from them.
        """


@runtime_checkable
class RecordsHooks(Protocol):
    """A backend that remembers which hooks have succeeded. Without it a spec may have no after_start hooks."""

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Run an after_start hook as `exec` does; its exit code.

        One that ended with 0 is recorded, with the unit, by the digest `hook`: from then on, until envctl starts the
        unit anew, `observe` reports it among the unit's `hooks`.
        """


@runtime_checkable
class RunsOneOffs(Protocol):
    """A backend that can run a command as a unit of its own, for `envctl run`."""

    one_offs_need_unit: bool
    """A one-off is beside the unit, which has to be there; else it is made of the plan alone."""

    def run_one_off(self, unit: Unit, execution: Execution, ready: Callable[[], object]) -> int:
        """Run a command with all that a unit has: image, user, environment, network, mounts, volumes, secrets; its exit code.

        Without a command the unit's own is run. The unit is not touched, and nothing is left of the one-off, however this
        ends. `ready` is called when nothing else of the environment is changed for it any more. NotRunningError if it needs
        the unit and that is not there.
        """


@runtime_checkable
class FindsEnvironments(Protocol):
    """A backend whose engine lists all environments that it has, wherever their projects are."""

    def environments(self) -> Sequence[str]:
        """The names of the environments of the scope's checkout, in the spec or not, which have units."""

    def everything(self) -> Sequence[FoundEnvironment]:
        """All environments, of all projects."""

    def moved(self, former: Path) -> None:
        """Keep running units working, now that the project's private folder is no longer at `former`."""


@runtime_checkable
class KeepsVolumes(Protocol):
    """A backend that knows more of volumes than their names."""

    def image_volumes(self, plan: Plan) -> Mapping[str, tuple[Volume, ...] | None]:
        """By unit, the volumes that its image declares and the spec does not name; None where that is not known yet."""

    def volume_sizes(self, volumes: Collection[str]) -> Mapping[str, int]:
        """The bytes that these volumes take, of as many as can be told quickly."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A backend that can read the files of a unit from outside, whatever the rights of root inside."""

    def archive(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder. EnvctlError if there is none."""


class PathKind(StrEnum):
    """What is at a path of a unit, at the end of links."""

    FOLDER = "folder"
    FILE = "file"
    NOTHING = "nothing"


@runtime_checkable
class CopiesFiles(Protocol):
    """A backend that can copy files out of and into units, for `envctl cp`. NotRunningError where a unit is not there."""

    def path_kind(self, unit: str, path: str) -> PathKind:
        """What is at an absolute path of a unit."""

    def pack(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder, which is its first member. A link at the path itself is followed."""

    def unpack(self, unit: str, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder of a unit, with the owners and modes that are in it."""


@runtime_checkable
class LaysOutPlans(Protocol):
    """A backend on which units share something, as services do that are packed into one machine."""

    def lay_out(self, plan: Plan) -> Plan:
        """The plan as this backend carries it out: what its units share is part of each. Pure.

        The units stay the same, in name and order; a plan without `problems` can be laid out.
        """


@runtime_checkable
class MachineBuilds(Protocol):
    """A backend that makes machines: of images, of bases, or by building inside one."""

    def extra_builds(self, source: Source | Base) -> Sequence[ExtraBuild]:
        """What is built, of packages, for a unit of this source to run, or of this base to be made, here.

        What stands on another of these builds comes after it. Talks to no engine.
        """

    def builds_in_vm(self, build: Build) -> bool:
        """Whether it does this build in a machine of its own, and needs no image of it."""

    def pin_images(self, source_ids: Mapping[str, str]) -> None:
        """Make machines of these only, from now on: by build or image, its content, or what a verifier calls it.

        `observe` then reports what was made of something else as missing, and units as outdated.
        """

    def box_checksum(self, base: Base) -> str:
        """The checksum of the box that machines of a base alone start from; "" where there is none."""


@runtime_checkable
class KeepsImages(Protocol):
    """A backend whose engine keeps images: bases are pulled into it, or bootstrapped."""

    images: Any
    """The images; an ImageStore of `envctl.bases`."""


@runtime_checkable
class ImageEngine(KeepsImages, Backend, Protocol):
    """A container engine, for backends that make machines of images, and for what looks into images."""

    def name_of(self, source: Source) -> str:
        """The name of the image of a unit's source, made or not."""

    def have(self, unit: str, build: Build | DockerfileBuild) -> str:
        """The name of a build's image, which is made if it does not exist yet."""

    def run_script(self, image: str, container_script: ContainerScript) -> bytes:
        """Run a script in a throwaway copy of an image: its output. EnvctlError, with its errors, if it fails."""

    def export(self, image: str, folder: Path) -> None:
        """Unpack the root filesystem of an image, with owners and modes, into a folder."""

    def save(self, image: str, file: Path) -> None:
        """Write an image, without its names, as a file that another engine can load."""
