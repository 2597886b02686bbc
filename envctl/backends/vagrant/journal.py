"""What units logged, from their machines' journals."""

from __future__ import annotations

import heapq
import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.base import LogLine
from envctl.backends.vagrant import output
from envctl.backends.vagrant.ssh import Machine
from envctl.backends.vagrant.unit_paths import UnitPaths
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_LOOK: Final = 5.0
"""Seconds of silence after which it is looked whether any unit runs."""
_ERROR: Final = "3"
_MOST: Final = 16
"""Of so many entries a line can consist that is asked for with few others; longer ones come without their beginning."""
_LONGEST: Final = 1 << 20
"""Characters of a line that are kept together; of a longer one the rest is another line."""


def read_logs(machines: Mapping[str, Machine], tail: int | None) -> Iterator[LogLine]:
    """What these units have logged by now; `tail` lines of each."""
    with ExitStack() as stack:
        streams = [
            _tail(_lines(unit, stack.enter_context(machine.lines(_command(unit, tail)))), tail)
            for unit, machine in machines.items()
        ]
        yield from heapq.merge(*streams, key=lambda line: line.time)


def _command(unit: str, tail: int | None) -> str:
    return output.read_command(UnitPaths(unit), tail=None if tail is None else tail + _MOST)


def _tail(lines: Iterator[LogLine], tail: int | None) -> Iterator[LogLine]:
    return lines if tail is None else iter(deque(lines, maxlen=tail))


def follow_logs(
    machines: Mapping[str, Machine],
    tail: int | None,
    *,
    next_machine: Callable[[str], Machine | None],
    still_running: Callable[[], bool],
) -> Iterator[LogLine]:
    """What these units log, until none of them runs any more; one whose machine is replaced is followed on.

    `again` waits for the machine that a unit has after its machine has gone, if it is to have one; `alive` tells whether
    any of the units runs, or may soon.
    """
    lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
    with ExitStack() as stack:
        stop = threading.Event()
        stack.callback(stop.set)
        for unit, machine in machines.items():
            follower = _Follower(unit, machine, tail, next_machine, stop)
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
    """Follows one unit in a thread, from machine to machine."""

    unit: str
    machine: Machine
    tail: int | None
    again: Callable[[str], Machine | None]
    over: threading.Event
    _reading: ExitStack = field(default_factory=ExitStack)

    def run(self, tell: Callable[[LogLine | None], None]) -> None:
        """Tell every line, and None when there is no more to come."""
        machine: Machine | None = self.machine
        last = before = ""
        while machine is not None and not self.over.is_set():
            # A machine that goes ends its connection, in whatever way.
            with suppress(EnvctlError, OSError, ValueError), ExitStack() as self._reading:
                command = output.read_command(UnitPaths(self.unit), follow=True, tail=self.tail)
                for line in _lines(self.unit, self._reading.enter_context(machine.lines(command))):
                    # Of one that is read again, what has been told is not.
                    if line.time > before:
                        tell(line)
                        last = line.time
            self.tail, before = None, last
            machine = None if self.over.is_set() else self._next()
        tell(None)

    def _next(self) -> Machine | None:
        with suppress(EnvctlError):
            return self.again(self.unit)
        return None

    def stop(self) -> None:
        """End it; a read that it is in is cut off."""
        self._reading.close()


def _lines(unit: str, texts: Iterator[bytes]) -> Iterator[LogLine]:
    """The lines of a unit from what output.read's command prints: those of its run, and of later ones."""
    run, _, asked_at = next(texts, b"").decode().partition(" ")
    unfinished: dict[str, str] = {}
    current = False
    for raw in texts:
        try:
            entry = json.loads(raw.decode("utf-8", "replace"))
        except ValueError:
            continue
        moment = int(entry["__REALTIME_TIMESTAMP"])
        current = current or entry.get(output.RUN) == run or moment > int(asked_at)
        if not current:
            continue
        stream = "stderr" if entry.get("PRIORITY") == _ERROR else "stdout"
        message = unfinished.pop(stream, "") + _text(entry.get("MESSAGE"))
        if entry.get(output.PART) and len(message) < _LONGEST:
            unfinished[stream] = message
            continue
        when = datetime.fromtimestamp(moment / 1e6, UTC)
        yield LogLine(unit, message, stream, when.isoformat())


def _text(message: Any) -> str:
    """A message is a text, or a list of bytes if it is not UTF-8 or has control characters."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return str(message or "")
