"""The engine's multiplexed streams: frames of an 8-byte header (stream, size) and data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

STDERR: Final = 2
_HEADER: Final = 8
_LONGEST: Final = 16 * 1024 * 1024
"""The maximum size of a frame in bytes. Engines send a few thousand at a time."""


@dataclass(slots=True)
class Demultiplexer:
    """Receives bytes as they arrive and returns whole frames."""

    _pending: bytes = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames completed by `data`: number of the stream (1 stdout, 2 stderr) and content."""
        self._pending += data
        start = 0
        while len(self._pending) - start >= _HEADER:
            size = int.from_bytes(self._pending[start + 4 : start + _HEADER], "big")
            if size > _LONGEST:
                raise EnvctlError("the engine sent an invalid stream")
            end = start + _HEADER + size
            if len(self._pending) < end:
                break
            yield self._pending[start], self._pending[start + _HEADER : end]
            start = end
        self._pending = self._pending[start:]
