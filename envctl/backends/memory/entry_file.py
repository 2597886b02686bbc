"""Stores the state of the memory backend: entries by name, in an append-only file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from envctl.host.atomic_write import replace_file

_MAX_OBSOLETE: Final = 200
"""How many obsolete lines may accumulate, beyond one per entry, before the file is rewritten."""


class EntryFile:
    """Entries by name. Each line of the file sets one, or removes it (null); the last one counts.

    The cost of writing an entry does not depend on their number. Entries from other processes are read first. `changed`
    is called for every entry that is read or written, with None if it was removed.
    """

    def __init__(self, file: Path, changed: Callable[[str, Any], None] = lambda *_: None) -> None:
        self._file = file
        self._changed = changed
        self._entries: dict[str, Any] = {}
        self._lines = 0
        self._read_up_to = 0
        self._inode = 0

    def entries(self) -> Mapping[str, Any]:
        """All current entries; none if the file does not exist or cannot be read."""
        try:
            with self._file.open("rb") as stream:
                self._catch_up(stream)
        except OSError:
            self._forget()
        return self._entries

    def _catch_up(self, stream: BinaryIO) -> int:
        """Read what was added to the file; returns the file's size."""
        status = os.fstat(stream.fileno())
        if status.st_ino != self._inode or status.st_size < self._read_up_to:
            self._forget()
            self._inode = status.st_ino
        if status.st_size > self._read_up_to:
            stream.seek(self._read_up_to)
            self._take(stream.read())
        return status.st_size

    def write(self, entries: Mapping[str, Any]) -> None:
        """Set entries, or remove those that are None. The file's folder must exist."""
        if self._lines > 2 * len(self._entries) + _MAX_OBSOLETE:
            self.entries()
            self._rewrite()
        with self._file.open("a+b") as stream:
            size = self._catch_up(stream)
            changed = {key: new for key, new in entries.items() if self._entries.get(key) != new}
            lines = "".join(json.dumps([name, value]) + "\n" for name, value in changed.items())
            # A killed process may have left half a line.
            stream.write((b"\n" if size > self._read_up_to else b"") + lines.encode())
            stream.flush()
            self._catch_up(stream)

    def _rewrite(self) -> None:
        lines = (json.dumps([name, value]) + "\n" for name, value in self._entries.items())
        replace_file(self._file, "".join(lines).encode(), durable=False)

    def _take(self, data: bytes) -> None:
        """Read complete lines; invalid ones are ignored."""
        whole = data[: data.rfind(b"\n") + 1]
        self._read_up_to += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            try:
                name, value = json.loads(line)
            except (ValueError, TypeError):
                continue
            if not isinstance(name, str):
                continue
            if value is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = value
            self._changed(name, value)

    def _forget(self) -> None:
        for name in self._entries:
            self._changed(name, None)
        self._entries = {}
        self._lines = self._read_up_to = self._inode = 0
