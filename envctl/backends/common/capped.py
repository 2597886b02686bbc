"""Limits on output that is read: an image or a container may print anything, without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.errors import EnvctlError

MAX_OUTPUT: Final = 64 * 1024 * 1024
"""Bytes of a command's output that are read: the manifest of thousands of packages has about one million."""


def capped_chunks(chunks: Iterable[bytes], most: int, what: str) -> Iterator[bytes]:
    """The chunks, up to `most` bytes in total. EnvctlError, which names `what` they are, if there are more."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise EnvctlError(f"{what} is more than {most // (1 << 20)} MB: it is not read further")
        yield chunk


class CappedBuffer:
    """A writer that stores the first `most` bytes and drops the rest: an error in a reader's thread would be lost."""

    def __init__(self, most: int = MAX_OUTPUT) -> None:
        self._most = most
        self._data = bytearray()

    def __call__(self, data: bytes) -> None:
        """Write more."""
        self._data += data[: self._most + 1 - len(self._data)]

    @property
    def too_much(self) -> bool:
        """Whether anything was dropped."""
        return len(self._data) > self._most

    @property
    def data(self) -> bytes:
        """The stored bytes."""
        return bytes(self._data[: self._most])

    @property
    def text(self) -> str:
        """The stored bytes as text."""
        return self.data.decode("utf-8", "replace")
