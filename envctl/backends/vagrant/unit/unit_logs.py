"""The logs of an environment's units: lines from running machines, and an error that names the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from envctl.backends.base import Context, LogLine
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit import journal
from envctl.backends.vagrant.unit.log_scripts import LogRange
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_PAUSE: Final = 1.0
_CONNECT: Final = 10.0
"""How many seconds to wait for a machine whose logs are followed."""


@dataclass(frozen=True, slots=True)
class UnitLogs:
    """The log lines of some units."""

    units: tuple[str, ...]
    machines: Machines
    context: Context
    log_range: LogRange

    def read(self) -> Iterator[LogLine]:
        """The lines logged so far, merged by time. At the end, EnvctlError for units whose machine is not running."""
        running, states = self._lookup()
        yield from journal.read_logs(running, self.log_range)
        self._require_no(states)

    def follow(self, may_log: Callable[[], bool]) -> Iterator[LogLine]:
        """The same, and all further lines until the units stop. `may_log` tells whether any runs or may start soon."""
        running, states = self._lookup()
        yield from journal.follow_logs(
            running, self.log_range, next_machine=self._next_machine, still_running=may_log
        )
        self._require_no(states)

    def _lookup(self) -> tuple[dict[str, SshMachine], dict[str, str]]:
        """By unit, the running machines, and the states of the others."""
        running, states = {}, {}
        for unit in self.units:
            domain = self.machines.domain_of(unit)
            if domain is not None and domain.running:
                running[unit] = self.machines.ssh_machine(domain)
            else:
                states[unit] = domain.state if domain else "gone"
        return running, states

    def _require_no(self, states: dict[str, str]) -> None:
        if not states:
            return
        details = ", ".join(f"{unit}: its machine is {state}" for unit, state in states.items())
        raise EnvctlError(
            f"cannot read the logs of {', '.join(states)}",
            details=details,
            hint=f"`envctl up {self.context.scope.environment}` starts it again",
        )

    def _next_machine(self, unit: str) -> SshMachine | None:
        """The machine of a unit whose connection has ended. Waits for one while a command changes the environment."""
        while True:
            busy = self.context.busy()
            domain = self.machines.domain_of(unit)
            if domain is not None and domain.running and unit in domain.units:
                machine = self.machines.ssh_machine(domain)
                with suppress(EnvctlError):
                    machine.connect(patience=_CONNECT)
                    return machine
            if not busy:
                return None
            time.sleep(_PAUSE)
