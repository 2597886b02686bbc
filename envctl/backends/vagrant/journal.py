"""What units logged, from their machines' journals."""

from __future__ import annotations

import heapq
import json
import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.base import LogLine
from envctl.backends.vagrant import output
from envctl.backends.vagrant.room import Room
from envctl.backends.vagrant.ssh import Machine
from envctl.errors import EnvctlError

_ERROR: Final = "3"
_MOST: Final = 16
"""Of so many entries a line can consist that is asked for with few others; longer ones come without their beginning."""
_LONGEST: Final = 1 << 20
"""Characters of a line that are kept together; of a longer one the rest is another line."""


def past(machines: Mapping[str, Machine], tail: int | None) -> Iterator[LogLine]:
    """What these units have logged by now; `tail` lines of each."""
    with ExitStack() as stack:
        streams = [
            _tail(_lines(unit, stack.enter_context(machine.lines(_command(unit, tail)))), tail)
            for unit, machine in machines.items()
        ]
        yield from heapq.merge(*streams, key=lambda line: line.time)


def _command(unit: str, tail: int | None) -> str:
    return output.read(Room(unit), tail=None if tail is None else tail + _MOST)


def _tail(lines: Iterator[LogLine], tail: int | None) -> Iterator[LogLine]:
    return lines if tail is None else iter(deque(lines, maxlen=tail))


def follow(machines: Mapping[str, Machine], tail: int | None) -> Iterator[LogLine]:
    """What these units log, until their machines are gone."""
    lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()

    def read(unit: str, told: Iterator[bytes]) -> None:
        # A machine that goes ends its connection, in whatever way.
        with suppress(EnvctlError, OSError, ValueError):
            for line in _lines(unit, told):
                lines.put(line)
        lines.put(None)

    with ExitStack() as stack:
        for unit, machine in machines.items():
            command = output.read(Room(unit), follow=True, tail=tail)
            told = stack.enter_context(machine.lines(command))
            threading.Thread(target=read, args=(unit, told), daemon=True).start()
        left = len(machines)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line


def _lines(unit: str, texts: Iterator[bytes]) -> Iterator[LogLine]:
    """The lines of a unit from what output.read's command prints: those of its run, and of later ones."""
    run, _, now = next(texts, b"").decode().partition(" ")
    begun: dict[str, str] = {}
    current = False
    for text in texts:
        try:
            entry = json.loads(text.decode("utf-8", "replace"))
        except ValueError:
            continue
        moment = int(entry["__REALTIME_TIMESTAMP"])
        current = current or entry.get(output.RUN) == run or moment > int(now)
        if not current:
            continue
        stream = "stderr" if entry.get("PRIORITY") == _ERROR else "stdout"
        message = begun.pop(stream, "") + _text(entry.get("MESSAGE"))
        if entry.get(output.PART) and len(message) < _LONGEST:
            begun[stream] = message
            continue
        when = datetime.fromtimestamp(moment / 1e6, UTC)
        yield LogLine(unit, message, stream, when.isoformat())


def _text(message: Any) -> str:
    """A message is a text, or a list of bytes if it is not UTF-8 or has control characters."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return str(message or "")
