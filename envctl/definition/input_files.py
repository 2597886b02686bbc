"""Files that a spec names and that are read together with it. The cache of a resolved spec depends on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from envctl.host.safe_read import InsideError, read_inside

MAX_BYTES: Final = 1024 * 1024


class InputFiles:
    """Reads such files, each once, and remembers what was read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return the content of a file of the project; None if it does not exist. Raises InsideError as `read_inside` does."""
        if path not in self._contents:
            self._contents[path] = _read(self._root, path)
        return self._contents[path]

    @property
    def digests(self) -> dict[str, str]:
        """Return a hash for each path that was read; "" for a path that does not exist."""
        return {path: _digest(data) for path, data in self._contents.items()}


def unchanged(root: Path, digests: Mapping[str, str]) -> bool:
    """Whether the files are unchanged."""
    try:
        return all(_digest(_read(root, path)) == digest for path, digest in digests.items())
    except (OSError, InsideError):
        return False


def _read(root: Path, path: str) -> bytes | None:
    try:
        return read_inside(root, path, largest=MAX_BYTES)
    except FileNotFoundError:
        return None


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()
