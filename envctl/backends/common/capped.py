"""Streams of which only so much is taken: what an image or a container tells is anything, and may never end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.errors import EnvctlError

TOLD: Final = 64 * 1024 * 1024
"""Bytes that are taken of what something tells: a manifest of thousands of packages has one of them."""


def bounded(chunks: Iterable[bytes], most: int, what: str) -> Iterator[bytes]:
    """The chunks, as long as they have `most` bytes together. EnvctlError, saying what it is, at the first beyond."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise EnvctlError(f"{what} is more than {most // (1 << 20)} MB: it is not read further")
        yield chunk


class Kept:
    """A writer that keeps the first `most` bytes: what is too much is let go by, since a reader's thread is none to fail in."""

    def __init__(self, most: int = TOLD) -> None:
        self._most = most
        self._data = bytearray()

    def __call__(self, data: bytes) -> None:
        """Take more."""
        self._data += data[: self._most + 1 - len(self._data)]

    @property
    def too_much(self) -> bool:
        """Whether there was more."""
        return len(self._data) > self._most

    @property
    def data(self) -> bytes:
        """What was kept."""
        return bytes(self._data[: self._most])

    @property
    def text(self) -> str:
        """What was kept, as text."""
        return self.data.decode("utf-8", "replace")
