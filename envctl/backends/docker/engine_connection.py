"""A connection to the engine, and how long to wait on it."""

from __future__ import annotations

import select
import socket
import time
import weakref
from collections.abc import Callable
from math import inf
from typing import Final, TypeVar

from envctl.backends.docker.engine_errors import EngineConnectionError, NoAnswerError
from envctl.lazy_dataclass import dataclass

LOOK: Final = 30.0
"""How many seconds of silence pass before envctl checks whether the engine is alive."""
_LARGEST_HEAD: Final = 256 * 1024
_CHUNK: Final = 64 * 1024

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer. Times are in seconds; `until` is a time of `time.monotonic`.

    With `is_alive`, a silent engine is checked on another connection; after two failed checks, waiting ends.
    """

    total: float = inf
    until: float = inf
    silence: float = inf
    is_alive: Callable[[], bool] | None = None

    @classmethod
    def of(
        cls, total: float, *, silence: float = inf, is_alive: Callable[[], bool] | None = None
    ) -> Patience:
        """A patience that starts now."""
        return cls(total, time.monotonic() + total, silence, is_alive)


class Connection:
    """A connected socket with a read buffer."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        # Nothing else closes the socket if an answer is abandoned halfway, such as a followed log, or if an interrupt
        # arrives just before a handed-over connection is closed.
        weakref.finalize(self, connected.close).atexit = False
        self.patience = Patience()
        self._ahead = b""
        self._at = 0
        """How much of the buffer has been returned."""

    def read(self, size: int) -> bytes:
        """Read at least a byte; empty at the end."""
        if self._at == len(self._ahead):
            return self._wait(lambda: self.socket.recv(size))
        data = self._ahead[self._at : self._at + size]
        self._at += len(data)
        return data

    def read_until(self, end: bytes) -> bytes:
        """Read everything before these bytes, and drop them."""
        while (position := self._ahead.find(end, self._at)) < 0:
            before = self.read_ahead()
            data = self._wait(lambda: self.socket.recv(_CHUNK))
            if not data:
                raise EngineConnectionError("the engine closed the connection without an answer")
            if len(before) > _LARGEST_HEAD:
                raise EngineConnectionError("the answer is not HTTP")
            self._ahead = before + data
        data = self._ahead[self._at : position]
        self._at = position + len(end)
        return data

    def read_ahead(self) -> bytes:
        """The rest of the buffer."""
        data, self._ahead, self._at = self._ahead[self._at :], b"", 0
        return data

    def write(self, data: bytes) -> None:
        """Send all of it."""
        left = memoryview(data)
        while left:
            sent = self._wait(lambda part=left: self.socket.send(part))  # type: ignore[misc]
            left = left[sent:]

    def is_usable(self) -> bool:
        """Whether the engine has kept an unused connection open. On a closed one, the end of the stream can be read."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return self._at == len(self._ahead) and not poll.poll(0)

    def hand_over(self) -> tuple[socket.socket, bytes]:
        """The socket and the rest of the buffer. The socket is closed with this connection."""
        return self.socket, self.read_ahead()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _wait(self, act: Callable[[], _Result]) -> _Result:
        patience, misses = self.patience, 0
        silent_until = time.monotonic() + patience.silence
        while True:
            left = min(patience.until, silent_until) - time.monotonic()
            if left <= 0:
                seconds = min(patience.total, patience.silence)
                raise NoAnswerError(f"no answer within {seconds:g} s")
            step = min(left, LOOK) if patience.is_alive else left
            self.socket.settimeout(None if step == inf else step)
            try:
                return act()
            except TimeoutError:
                if patience.is_alive is not None and step < left:
                    misses = 0 if patience.is_alive() else misses + 1
                    if misses >= 2:
                        raise NoAnswerError("the engine has stopped answering") from None
            except OSError as error:
                raise EngineConnectionError.because(error) from error
