"""Starts a daemon on this machine and waits until it answers: with systemd if that is running, otherwise directly."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from envctl.doctor.findings import DaemonState
from envctl.doctor.host import Host
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.progress import Progress, Report, Stage

PATIENCE = 60.0
"""How many seconds a daemon gets from its start to its first answer."""
SHOWN: Final = 15
"""How many lines of a log an error shows, from the end."""
_PAUSE = 0.2


class DaemonStatus(Protocol):
    """A daemon's answer, or why it did not answer."""

    @property
    def state(self) -> DaemonState:
        """Whether it answers."""

    @property
    def error(self) -> str:
        """Why the daemon does not answer; "" if it does."""


StatusT = TypeVar("StatusT", bound=DaemonStatus)


@dataclass(frozen=True, slots=True)
class Daemon(Generic[StatusT]):
    """A daemon that can be started: the Docker engine, libvirt."""

    name: str
    """Its name in messages: "the Docker engine"."""
    work: str
    """The name of its start in the progress display."""
    service: str
    """The name of its systemd service."""
    ask: Callable[[], StatusT]

    def start(self, host: Host, report: Report, directly: Callable[[], None]) -> None:
        """Start it unless it answers; without systemd, by `directly`. EnvctlError, with the end of its log, on failure."""
        if self.ask().state is DaemonState.ANSWERS:
            return
        report(Progress(self.work, Stage.STARTED))
        try:
            if host.has_systemd:
                self._start_service(host)
            else:
                directly()
        except EnvctlError:
            report(Progress(self.work, Stage.FAILED))
            raise
        report(Progress(self.work, Stage.DONE, "running"))

    def _start_service(self, host: Host) -> None:
        argv = ("systemctl", "enable", "--now", self.service)
        outcome = host.run(argv, timeout=2 * PATIENCE)
        error = ""
        if outcome.code == 0:
            status = self.wait(lambda: True)
            if status.state is DaemonState.ANSWERS:
                return
            error = status.error
        journal = host.run(("journalctl", "-u", self.service, "-n", str(SHOWN), "--no-pager"))
        details = (outcome.text, journal.text, error)
        hint = f"systemctl status {self.service}"
        raise self.failure("\n".join(part for part in details if part), hint)

    def wait(self, is_alive: Callable[[], bool]) -> StatusT:
        """Wait for an answer while the daemon is alive; return the last status."""
        deadline = time.monotonic() + PATIENCE
        while True:
            # In this order, so that it is asked once more after the daemon has exited.
            alive = is_alive()
            status = self.ask()
            if status.state is DaemonState.ANSWERS or not alive or time.monotonic() > deadline:
                return status
            time.sleep(_PAUSE)

    def failure(self, details: str, hint: str) -> EnvctlError:
        """The error for a start that failed."""
        return EnvctlError(f"{self.name} does not start", details=details, hint=hint)
