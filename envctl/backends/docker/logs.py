"""Reads containers' logs: oldest line first, merged by time, followed on request."""

from __future__ import annotations

import calendar
import heapq
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Final

from envctl.backends.base import LogLine
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.names import Names
from envctl.backends.docker.owned_containers import Listed, containers
from envctl.backends.docker.stream_frames import STDERR, Demultiplexer
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

_LONGEST: Final = 16 * 1024 * 1024
"""The maximum length of a line in bytes; a longer one is split."""
_WINDOW: Final = 0.1
"""The window in seconds in which lines of several units are sorted while following."""
_PAUSE: Final = 0.3
_PIECES: Final = 64
"""How many pieces of 16 KiB a line may have if only a few lines are requested. A longer line loses its beginning."""
_CALM: Final = 3
"""After how many quiet polls following ends. A unit that just started only shows up a moment later."""
_RUNNING: Final = frozenset({"running", "restarting", "paused"})


def past(
    engine: Engine,
    names: Names,
    units: Sequence[str],
    *,
    tail: int | None,
    since: float | None,
    until: float | None,
) -> Iterator[LogLine]:
    """The log lines of these units so far, between two times; the last `tail` of each."""
    existing = containers(engine, names).units
    # The engine counts each piece of a long line as a line, and applies `tail` before `until`.
    more = None if tail is None or until is not None else tail + _PIECES
    lines = [
        _lines(
            engine, unit, existing[unit], tail=more, since=_seconds(since), until=_seconds(until)
        )
        for unit in units
        if unit in existing
    ]
    streams = lines if tail is None else [deque(unit_lines, maxlen=tail) for unit_lines in lines]
    return heapq.merge(*streams, key=lambda line: line.time)


def follow(
    engine: Engine,
    names: Names,
    units: Sequence[str],
    *,
    tail: int | None,
    since: float | None,
    busy: Callable[[], bool],
) -> Iterator[LogLine]:
    """The log lines of these units from a time on, until none of them is running. Continues with replaced units.

    While the environment is `busy`, a stopped unit may still be started.
    """
    followers = [_Follower(engine, names, unit, tail, _seconds(since)) for unit in units]
    lines: queue.SimpleQueue[LogLine | EnvctlError] = queue.SimpleQueue()
    for follower in followers:
        threading.Thread(target=follower.run, args=(lines.put,), daemon=True).start()
    calm = 0
    try:
        while True:
            over = all(follower.idle for follower in followers) and not busy()
            batch = _batch(lines)
            calm = calm + 1 if over and not batch else 0
            for item in batch:
                if isinstance(item, EnvctlError):
                    raise item
            known = [item for item in batch if isinstance(item, LogLine)]
            yield from sorted(known, key=lambda line: line.time)
            if calm >= _CALM:
                return
    finally:
        for follower in followers:
            follower.stop()


def _batch(
    lines: queue.SimpleQueue[LogLine | EnvctlError],
) -> list[LogLine | EnvctlError]:
    """The lines that arrive shortly after the first one; empty if no line arrives."""
    batch: list[LogLine | EnvctlError] = []
    deadline = time.monotonic() + _PAUSE
    with suppress(queue.Empty):
        while True:
            batch.append(lines.get(timeout=max(0.0, deadline - time.monotonic())))
            if len(batch) == 1:
                deadline = time.monotonic() + _WINDOW
    return batch


@dataclass(slots=True)
class _Follower:
    """Follows one unit in a thread; `idle` while it is stopped and all its lines have been passed on."""

    engine: Engine
    names: Names
    unit: str
    tail: int | None
    since: str
    idle: bool = False
    _stopped: threading.Event = field(default_factory=threading.Event)
    _answer: Response | None = None
    _last: str = ""

    def run(self, tell: Callable[[LogLine | EnvctlError], None]) -> None:
        """Pass on every line until stopped."""
        try:
            seen = ""
            while not self._stopped.is_set():
                container = self._container()
                if container is not None and (
                    container["Id"] != seen or container["State"] in _RUNNING
                ):
                    self.idle = False
                    tail = self.tail if not seen else None
                    again = container["Id"] == seen and self._last
                    since = _after(self._last) if again else self.since
                    seen = container["Id"]
                    for line in _lines(
                        self.engine, self.unit, container, tail=tail, since=since, opened=self._open
                    ):
                        self._last = line.time
                        tell(line)
                else:
                    self.idle = True
                self._stopped.wait(_PAUSE)
        except EnvctlError as error:
            if not self._stopped.is_set():
                tell(error)

    def stop(self) -> None:
        """Stop following; interrupts a read."""
        self._stopped.set()
        if self._answer is not None:
            self._answer.cut()

    def _open(self, answer: Response) -> None:
        self._answer = answer

    def _container(self) -> Listed | None:
        return containers(self.engine, self.names, unit=self.unit).units.get(self.unit)


def _lines(
    engine: Engine,
    unit: str,
    container: Listed,
    *,
    tail: int | None = None,
    since: str = "",
    until: str = "",
    opened: Callable[[Response], None] | None = None,
) -> Iterator[LogLine]:
    """The lines of one container. With `opened` they are followed, and it receives the open answer.

    `since` and `until` are seconds since 1970 with a fraction, as the engine expects them.
    """
    parameters = {
        "stdout": "1",
        "stderr": "1",
        "timestamps": "1",
        "tail": "all" if tail is None else str(tail),
        **({"since": since} if since else {}),
        **({"until": until} if until else {}),
    }
    with engine.doing(f"read the log of {unit}") as api:
        try:
            answer = api.logs(container["Id"], parameters, follow=opened is not None)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return
        with answer:
            if opened:
                opened(answer)
            yield from _parsed(unit, answer)


def _parsed(unit: str, chunks: Iterable[bytes]) -> Iterator[LogLine]:
    """Each frame is a line that starts with its time, or a part of a line if it does not end with a newline."""
    demultiplexer = Demultiplexer()
    partial: dict[int, tuple[str, bytes]] = {}
    for data in chunks:
        for stream, frame in demultiplexer.feed(data):
            moment, _, content = frame.partition(b" ")
            begun, before = partial.pop(stream, (moment.decode("ascii", "replace"), b""))
            whole = before + content
            if whole.endswith(b"\n") or len(whole) > _LONGEST:
                yield _line(unit, stream, begun, whole)
            else:
                partial[stream] = begun, whole
    for stream, (begun, data) in partial.items():
        yield _line(unit, stream, begun, data)


def _line(unit: str, stream: int, moment: str, data: bytes) -> LogLine:
    text = data.removesuffix(b"\n").decode("utf-8", "replace")
    return LogLine(unit, text, "stderr" if stream == STDERR else "stdout", moment)


def _seconds(moment: float | None) -> str:
    """A time in the form that the engine expects; "" for None."""
    return "" if moment is None else f"{moment:.9f}"


def _after(moment: str) -> str:
    """One nanosecond after this time (RFC 3339, UTC), as seconds since 1970 with nanoseconds."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    nanoseconds = int(fraction.ljust(9, "0")[:9] or 0) + 1
    return f"{seconds + nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
