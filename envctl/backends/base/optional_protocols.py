"""Optional protocols of backends: each class is for one command or one kind of engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

from envctl.backends.base.protocol import Backend, Execution
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from envctl.backends.common.build_inputs import ContainerScript, ExtraBuild
    from envctl.doctor.findings import Finding
    from envctl.doctor.host import Host
    from envctl.plan.model import Base, Build, DockerfileBuild, Plan, Source, Unit, Volume
    from envctl.plan.scope import FoundEnvironment


@runtime_checkable
class HostChecks(Protocol):
    """A backend that checks what its engine needs on this machine, for `envctl doctor`."""

    @staticmethod
    def host_findings(host: Host, *, images_only: bool = False) -> Sequence[Finding]:
        """Check this machine and change nothing. A class method, so that no backend has to be opened.

        With `images_only`, check only the requirements for building images, for backends that start from images.
        """


@runtime_checkable
class RecordsHooks(Protocol):
    """A backend that records which hooks have succeeded. Others do not support `after_start` hooks."""

    def run_hook(self, unit: str, hook: str, execution: Execution) -> int:
        """Run an `after_start` hook like `exec`; its exit code.

        If the exit code is 0, the digest `hook` is recorded with the unit. `observe` reports it among the unit's
        `hooks` until envctl starts the unit again.
        """


@runtime_checkable
class RunsOneOffs(Protocol):
    """A backend that can run a command as a separate unit, for `envctl run`."""

    def one_off_needs_build(self, unit: Unit) -> bool:
        """Whether a one-off is created from the unit's build, which must exist then. Otherwise it joins the existing unit."""

    def run_one_off(
        self,
        unit: Unit,
        execution: Execution,
        ready: Callable[[], object],
        alone: Callable[[], AbstractContextManager[None]],
    ) -> int:
        """Run a command with a unit's image, user, environment, network, mounts, volumes and secrets; its exit code.

        Without a command, the unit's own command runs. The unit itself need not exist and does not change, and the
        one-off is always removed. `ready` is called as soon as the one-off needs nothing more from the environment. From
        then on other commands may change the environment, except within a context that `alone` returns.
        """


@runtime_checkable
class FindsEnvironments(Protocol):
    """A backend whose engine knows all of its environments, wherever their projects are."""

    def environments(self) -> Sequence[str]:
        """The names of all environments of this checkout that have units, even those removed from the spec."""

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
    """A backend that can read a unit's files from outside, even those that root inside may not read."""

    def archive(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder. EnvctlError if it does not exist."""


@runtime_checkable
class ListsPorts(Protocol):
    """A backend whose engine may publish ports on another host."""

    def published_ports(self) -> frozenset[int]:
        """All ports that the engine publishes on its host."""


class PathKind(StrEnum):
    """What is at a path in a unit, with links followed."""

    FOLDER = "folder"
    FILE = "file"
    NOTHING = "nothing"


@runtime_checkable
class CopiesFiles(Protocol):
    """A backend that can copy files from and to units, for `envctl cp`. NotRunningError if a unit does not exist."""

    def path_kind(self, unit: str, path: str) -> PathKind:
        """What is at an absolute path of a unit."""

    def pack(self, unit: str, path: str) -> Iterator[bytes]:
        """A tar archive of a file or folder, which is its first member. A link at the path itself is followed."""

    def unpack(self, unit: str, folder: str, archive: BinaryIO) -> None:
        """Unpack a tar archive into a folder of a unit, with the owners and modes in the archive."""


@dataclass(frozen=True, slots=True)
class UnitProcess:
    """A process of a unit. `user` is the id of its user, `memory` its RAM in bytes, None if unknown.

    `time` is the CPU time that it has used, "00:01:02".
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
        """The processes of a unit, as its host or machine sees them. NotRunningError if the unit is not running."""


@dataclass(frozen=True, slots=True)
class SshHost:
    """How to reach a machine by SSH: values of the OpenSSH options with these names, and the machine's `units`."""

    units: tuple[str, ...]
    address: str
    user: str
    key: Path
    known_hosts: Path


@runtime_checkable
class ReachedBySsh(Protocol):
    """A backend whose units are in machines with an SSH server, for `envctl ssh-config`."""

    def ssh_hosts(self) -> Sequence[SshHost]:
        """The running machines."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """An image, box or base that nothing uses; `size` is in bytes, None if unknown; `id` is the engine's identifier."""

    kind: str
    name: str
    id: str
    size: int | None


@runtime_checkable
class CollectsGarbage(Protocol):
    """A backend that stores builds, and knows which are unused, for `envctl gc`."""

    def garbage(self, needed: Collection[str]) -> Sequence[Garbage]:
        """What no environment of any project uses and is not in `needed` (digests, image names). Never data."""

    def remove_garbage(self, garbage: Garbage) -> bool:
        """Remove it, unless it is in use by now. Returns whether it is gone."""


@runtime_checkable
class LaysOutPlans(Protocol):
    """A backend whose units can share something, such as one machine."""

    def lay_out(self, plan: Plan) -> Plan:
        """The plan as this backend applies it: each unit includes what it shares with others. Pure.

        Names and order of the units stay the same. Every plan without `problems` can be laid out.
        """


@runtime_checkable
class MachineBuilds(Protocol):
    """A backend that creates machines from images or bases, or by building in a machine."""

    def extra_builds(self, source: Source | Base) -> Sequence[ExtraBuild]:
        """The additional builds for a unit from this source, or for a machine from this base.

        Builds come after those that they are based on. Talks to no engine.
        """

    def builds_in_vm(self, build: Build) -> bool:
        """Whether this build runs in a machine, and so needs no image."""

    def pin_images(self, source_ids: Mapping[str, str]) -> None:
        """From now on, create machines only from these: by build or image, its content or a verifier's `source_id`.

        `observe` then reports boxes from other sources as missing, and their units as outdated.
        """

    def box_checksum(self, base: Base) -> str:
        """The checksum of a base's box; "" if the box does not exist."""


@runtime_checkable
class KeepsImages(Protocol):
    """A backend whose engine stores images: bases are pulled or bootstrapped into it."""

    images: Any
    """The images; an ImageStore of `envctl.bases`."""


@runtime_checkable
class ImageEngine(KeepsImages, Backend, Protocol):
    """A container engine, for backends that create machines from images, and for code that inspects images."""

    def name_of(self, source: Source) -> str:
        """The name of the image of a unit's source, even if the image does not exist."""

    def have(self, unit: str, build: Build | DockerfileBuild) -> str:
        """The name of a build's image. Builds the image if it does not exist."""

    def run_script(self, image: str, container_script: ContainerScript) -> bytes:
        """Run a script in a temporary copy of an image; its output. EnvctlError, with the script's errors, if it fails."""

    def export(self, image: str, folder: Path) -> None:
        """Unpack the root filesystem of an image, with owners and modes, into a folder."""

    def save(self, image: str, file: Path) -> None:
        """Write an image, without its names, to a file that another engine can load."""
