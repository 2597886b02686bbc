"""What units logged, from their machines' journals."""

from __future__ import annotations

import heapq
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.base import LogLine
from envctl.backends.vagrant.room import Room
from envctl.backends.vagrant.ssh import Machine
from envctl.errors import EnvctlError

_ERROR: Final = "3"


def _command(unit: str, *, follow: bool, tail: int | None) -> str:
    lines = "all" if tail is None else str(tail)
    more = "--follow " if follow else ""
    fields = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,__REALTIME_TIMESTAMP"
    return (
        f"journalctl {more}--no-pager --quiet --output=json --output-fields={fields} --lines={lines}"
        f" SYSLOG_IDENTIFIER={Room(unit).service} _SYSTEMD_UNIT={Room(unit).service}"
    )


def past(machines: Mapping[str, Machine], tail: int | None) -> Iterator[LogLine]:
    """What these units have logged by now; `tail` lines of each."""
    with ExitStack() as stack:
        streams = [
            _lines(
                unit, stack.enter_context(machine.lines(_command(unit, follow=False, tail=tail)))
            )
            for unit, machine in machines.items()
        ]
        yield from heapq.merge(*streams, key=lambda line: line.time)


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
            told = stack.enter_context(machine.lines(_command(unit, follow=True, tail=tail)))
            threading.Thread(target=read, args=(unit, told), daemon=True).start()
        left = len(machines)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line


def _lines(unit: str, texts: Iterator[bytes]) -> Iterator[LogLine]:
    for text in texts:
        try:
            entry = json.loads(text.decode("utf-8", "replace"))
        except ValueError:
            continue
        moment = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        stream = "stderr" if entry.get("PRIORITY") == _ERROR else "stdout"
        yield LogLine(unit, _text(entry.get("MESSAGE")), stream, moment.isoformat())


def _text(message: Any) -> str:
    """A message is a text, or a list of bytes if it is not UTF-8 or has control characters."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return str(message or "")
