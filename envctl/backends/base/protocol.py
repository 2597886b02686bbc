"""The protocol that every backend implements: methods, capabilities, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from envctl.errors import EnvctlError, Problem
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.plan.artifact import Artifact
    from envctl.plan.changes import Change
    from envctl.plan.model import Plan, Unit
    from envctl.plan.state import Observed


@dataclass(frozen=True, slots=True)
class TemplateRoles:
    """What a backend's templates are used for. Paths are relative to the backend's folder: "compose.yaml.j2"."""

    outside_images: frozenset[str] = frozenset()
    """Templates of rendered folders and units. All others make images: a project's own versions change its builds."""
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
    """What the backend's templates are used for; None if they neither make images nor run on this host."""
    name_server: str = ""
    """The address of the engine's own name server in each unit: its sockets are not the unit's."""


_SHOWN: Final = 100
"""The maximum length of a command in an error, in characters."""


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
        """The command on one short line; a script may be pages long."""
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
    """This machine has no engine, so no resources can exist."""


class NotRunningError(EnvctlError):
    """A command cannot run: its unit does not exist or is not running."""


class Backend(Protocol):
    """Runs environments. Methods raise EnvctlError only.

    The protocols of `optional_protocols` are optional: a backend that supports one has its methods, too.
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

        After a run that was killed half-way, applying the change again must converge.
        """

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Run the unit's health check inside it, once: whether it is healthy, and the check's output."""

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
