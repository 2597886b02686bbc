"""The log lines of units, from the journals of their machines."""

from __future__ import annotations

import heapq
import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.base import LogLine
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit import log_scripts
from envctl.backends.vagrant.unit.log_scripts import LogRange
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_LOOK: Final = 5.0
"""After how many quiet seconds envctl checks whether any unit is still running."""
_ERROR: Final = "3"
_MOST: Final = 16
"""Journal entries requested beyond `tail`, because a long line has several. A longer line loses its beginning."""
_EVERYTHING: Final = LogRange()
_LONGEST: Final = 1 << 20
"""The maximum length of a line, in characters; a longer one is split."""


def read_logs(machines: Mapping[str, SshMachine], log_range: LogRange) -> Iterator[LogLine]:
    """The lines in a range that these units have logged so far."""
    tail = log_range.tail
    longer = replace(log_range, tail=None if tail is None else tail + _MOST)
    with ExitStack() as stack:
        streams = []
        for unit, machine in machines.items():
            command = log_scripts.read_command(UnitPaths(unit), longer)
            lines = _lines(unit, stack.enter_context(machine.lines(command)), log_range)
            streams.append(_tail(lines, tail))
        yield from heapq.merge(*streams, key=lambda line: line.time)


def _tail(lines: Iterator[LogLine], tail: int | None) -> Iterator[LogLine]:
    return lines if tail is None else iter(deque(lines, maxlen=tail))


def follow_logs(
    machines: Mapping[str, SshMachine],
    log_range: LogRange,
    *,
    next_machine: Callable[[str], SshMachine | None],
    still_running: Callable[[], bool],
) -> Iterator[LogLine]:
    """The lines that these units log, until none of them is running.

    If a machine goes away, `next_machine` waits for the unit's next machine, or returns None; `still_running` tells
    whether any of the units is running or may start soon.
    """
    lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
    with ExitStack() as stack:
        stop = threading.Event()
        stack.callback(stop.set)
        for unit, machine in machines.items():
            follower = _Follower(unit, machine, log_range, next_machine, stop)
            stack.callback(follower.stop)
            threading.Thread(target=follower.run, args=(lines.put,), daemon=True).start()
        open_followers = len(machines)
        while open_followers:
            try:
                line = lines.get(timeout=_LOOK)
            except queue.Empty:
                if not still_running():
                    return
                continue
            if line is None:
                open_followers -= 1
            else:
                yield line


@dataclass(slots=True)
class _Follower:
    """Follows one unit in a thread, from one machine to the next."""

    unit: str
    machine: SshMachine
    log_range: LogRange
    again: Callable[[str], SshMachine | None]
    over: threading.Event
    _reading: ExitStack = field(default_factory=ExitStack)

    def run(self, tell: Callable[[LogLine | None], None]) -> None:
        """Pass on every line, and None at the end."""
        machine: SshMachine | None = self.machine
        last = before = ""
        while machine is not None and not self.over.is_set():
            # If a machine goes away, its connection breaks with one of these errors.
            with suppress(EnvctlError, OSError, ValueError), ExitStack() as self._reading:
                command = log_scripts.read_command(
                    UnitPaths(self.unit), self.log_range, follow=True
                )
                texts = self._reading.enter_context(machine.lines(command))
                for line in _lines(self.unit, texts, self.log_range):
                    # The same machine may be read again, so skip lines that were already passed on.
                    if line.time > before:
                        tell(line)
                        last = line.time
            self.log_range, before = replace(self.log_range, tail=None), last
            machine = None if self.over.is_set() else self._next()
        tell(None)

    def _next(self) -> SshMachine | None:
        with suppress(EnvctlError):
            return self.again(self.unit)
        return None

    def stop(self) -> None:
        """Stop following, even in the middle of a read."""
        self._reading.close()


def _lines(
    unit: str, texts: Iterator[bytes], log_range: LogRange = _EVERYTHING
) -> Iterator[LogLine]:
    """The lines in a range of a unit's current and later runs, from the output of log_scripts.read_command."""
    run, _, asked_at = next(texts, b"").decode().partition(" ")
    unfinished: dict[str, str] = {}
    current = False
    for raw in texts:
        try:
            entry = json.loads(raw.decode("utf-8", "replace"))
        except ValueError:
            continue
        moment = int(entry["__REALTIME_TIMESTAMP"])
        current = current or entry.get(log_scripts.RUN) == run or moment > int(asked_at)
        if not current:
            continue
        stream = "stderr" if entry.get("PRIORITY") == _ERROR else "stdout"
        message = unfinished.pop(stream, "") + _text(entry.get("MESSAGE"))
        if entry.get(log_scripts.PART) and len(message) < _LONGEST:
            unfinished[stream] = message
            continue
        if log_range.has(moment / 1e6):
            when = datetime.fromtimestamp(moment / 1e6, UTC)
            yield LogLine(unit, message, stream, when.isoformat())


def _text(message: Any) -> str:
    """A message as text. journalctl prints a string, or a list of bytes if it is not UTF-8 or has control characters."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return str(message or "")
