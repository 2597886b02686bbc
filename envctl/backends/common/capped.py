"""Limits output that is read, because an image or container may print without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.errors import EnvctlError

MAX_OUTPUT: Final = 64 * 1024 * 1024
"""The maximum size of a command's output in bytes. The manifest of thousands of packages has about one million."""


def capped_chunks(chunks: Iterable[bytes], most: int, what: str) -> Iterator[bytes]:
    """The chunks, up to `most` bytes in total. EnvctlError, which mentions `what`, if there are more."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise EnvctlError(f"{what} is more than {most // (1 << 20)} MB: it is not read further")
        yield chunk


class CappedBuffer:
    """Stores the first `most` bytes written and drops the rest. An error would be lost in a reader's thread."""

    def __init__(self, most: int = MAX_OUTPUT) -> None:
        self._most = most
        self._data = bytearray()

    def __call__(self, data: bytes) -> None:
        """Write data."""
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
