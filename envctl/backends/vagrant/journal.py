"""What units logged, from their machines' journals."""

from __future__ import annotations

import heapq
import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.base import LogLine
from envctl.backends.vagrant.room import Room
from envctl.backends.vagrant.ssh import Machine

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
    streams = [
        list(_lines(unit, machine.run(_command(unit, follow=False, tail=tail)).splitlines()))
        for unit, machine in machines.items()
    ]
    return heapq.merge(*streams, key=lambda line: line.time)


def follow(machines: Mapping[str, Machine], tail: int | None) -> Iterator[LogLine]:
    """What these units log, until their machines are gone."""
    lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
    processes = {
        unit: machine.lines(_command(unit, follow=True, tail=tail))
        for unit, machine in machines.items()
    }

    def read(unit: str) -> None:
        stream = processes[unit].stdout
        assert stream is not None
        for raw in stream:
            for line in _lines(unit, [raw.decode("utf-8", "replace")]):
                lines.put(line)
        lines.put(None)

    for unit in processes:
        threading.Thread(target=read, args=(unit,), daemon=True).start()
    left = len(processes)
    try:
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _lines(unit: str, texts: Sequence[str]) -> Iterator[LogLine]:
    for text in texts:
        try:
            entry = json.loads(text)
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
