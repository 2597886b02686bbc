"""What the memory backend knows, as entries by name in a file to which only what changes is added."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from envctl.host.atomic_write import replace_file

_SPARE: Final = 200
"""Lines that no longer count before the file is written anew, and as many again as there are entries."""


class Book:
    """Entries by name. Each line of the file sets one, or removes it (null); the last one counts.

    Writing an entry costs the same however many there are. What another process has added is read before anything is
    told. `changed` hears of every entry that is read or written, None for one that is removed.
    """

    def __init__(self, file: Path, changed: Callable[[str, Any], None] = lambda *_: None) -> None:
        self._file = file
        self._changed = changed
        self._entries: dict[str, Any] = {}
        self._lines = 0
        self._read_up_to = 0
        self._inode = 0

    def entries(self) -> Mapping[str, Any]:
        """All entries, as they are now; nothing if there is no such file, or it cannot be read."""
        try:
            with self._file.open("rb") as stream:
                self._catch_up(stream)
        except OSError:
            self._forget()
        return self._entries

    def _catch_up(self, stream: BinaryIO) -> int:
        """Take in what has been added to the file; its size."""
        status = os.fstat(stream.fileno())
        if status.st_ino != self._inode or status.st_size < self._read_up_to:
            self._forget()
            self._inode = status.st_ino
        if status.st_size > self._read_up_to:
            stream.seek(self._read_up_to)
            self._take(stream.read())
        return status.st_size

    def write(self, entries: Mapping[str, Any]) -> None:
        """Set entries, or remove those that are None. The file's folder has to be there."""
        if self._lines > 2 * len(self._entries) + _SPARE:
            self.entries()
            self._write_anew()
        with self._file.open("a+b") as stream:
            size = self._catch_up(stream)
            changed = {key: new for key, new in entries.items() if self._entries.get(key) != new}
            lines = "".join(json.dumps([name, value]) + "\n" for name, value in changed.items())
            # A process that was killed has left half a line.
            stream.write((b"\n" if size > self._read_up_to else b"") + lines.encode())
            stream.flush()
            self._catch_up(stream)

    def _write_anew(self) -> None:
        lines = (json.dumps([name, value]) + "\n" for name, value in self._entries.items())
        replace_file(self._file, "".join(lines).encode(), durable=False)

    def _take(self, data: bytes) -> None:
        """Take in whole lines; what is none is passed over."""
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
