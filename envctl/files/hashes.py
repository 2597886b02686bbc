"""A cache of file hashes: a file is read again only if its size, times or inode changed.

It is stored in the project's private state, where only the user can write, and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.private_state import existing_folder, open_private, private_folder
from envctl.host.safe_read import FILE
from envctl.host.source_tree import content_time

_FORMAT: Final = "envctl hashes 3"
"""The beginning of the first line. That line ends with a checksum of the rest, which reveals a damaged file."""
_FOLDER: Final = "cache"
_SETTLES_AFTER: Final = 2_000_000_000
"""Nanoseconds after which a change certainly gives a file another time, even on a file system with coarse times."""
_CHUNK: Final = 1 << 20


PLAIN: Final = 0
WINDOWS: Final = 1
"""With CR and LF."""
WINDOWS_SCRIPT: Final = 2
"""With CR and LF, in a script whose `#!` line names its interpreter."""
_LONGEST_LINE: Final = 4096


class ChangedError(Exception):
    """A file changes while it is read."""


class Known(NamedTuple):
    """The remembered state of a file: the values that show a change, the hash of its content, and the time that it gets in builds.

    `ends` is how its first line ends, one of PLAIN, WINDOWS and WINDOWS_SCRIPT.
    """

    size: int
    written: int
    changed: int
    inode: int
    digest: str
    time: int
    ends: int = 0


class Hashes:
    """The hashes of one tree's files; `name` is the tree's name in the project."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        short = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        self._file = f"hashes-{short}.json"
        self._before = self._read()
        self._now: dict[str, Known] = {}
        self._fresh = False
        self._began = time.time_ns()

    def of(self, path: str, name: str, folder: int, seen: os.stat_result) -> Known:
        """Return the remembered or newly read state of the file at `path` in the tree, which has this name in an open folder.

        OSError if it cannot be read; ChangedError if it keeps changing.
        """
        stored = self._before.get(path)
        fits = isinstance(stored, list) and len(stored) == len(Known._fields)
        before = Known(*stored) if stored and fits else None
        if before is not None and before[:4] == _signature(seen):
            self._now[path] = before
            return before
        self._fresh = True
        for _ in range(3):
            digest, ends, after = _read_through(name, folder)
            if after is not None:
                break
        else:
            raise ChangedError
        known = Known(*_signature(after), digest, _time_for(digest, before), ends)
        # A file that may still change without getting another time is not stored.
        is_settled = max(after.st_mtime_ns, after.st_ctime_ns) < self._began - _SETTLES_AFTER
        self._now[path] = known if is_settled else known._replace(size=-1)
        return known

    def keep(self) -> None:
        """Store the hashes; ignore it if that is impossible."""
        if not self._fresh:
            return
        # Entries of other environments for the same tree stay, unless they are most of all.
        more = {path: known for path, known in self._before.items() if path not in self._now}
        if len(more) > len(self._now) + 1000:
            more = {}
        data = json.dumps({**more, **self._now}, separators=(",", ":")).encode("ascii")
        with suppress(EnvctlError, OSError):
            file = private_folder(self._root, _FOLDER) / self._file
            replace_file(file, b"%s\n%s" % (_head(data), data), mode=0o600, durable=False)

    def _read(self) -> Mapping[str, Any]:
        """Return the stored data by path. Its checksum was correct. Other versions may have stored more fields."""
        try:
            folder = existing_folder(self._root, _FOLDER)
            if folder is None:
                return {}
            descriptor = open_private(folder / self._file, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as stream:
                head, _, data = stream.read().partition(b"\n")
            files = json.loads(data) if head == _head(data) else {}
        except (EnvctlError, OSError, ValueError, RecursionError):
            return {}
        return files if isinstance(files, dict) else {}


def _time_for(digest: str, before: Known | None) -> int:
    """Return the time that a file gets in builds: derived from its content, but later than that of a former content that is known.

    Web servers answer requests for changes since a date by this time.
    """
    by_content = content_time(digest)
    if before is None:
        return by_content
    return before.time if before.digest == digest else max(by_content, before.time + 1)


def _head(data: bytes) -> bytes:
    return f"{_FORMAT} {zlib.crc32(data):08x}".encode("ascii")


def _signature(seen: os.stat_result) -> tuple[int, int, int, int]:
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def line_ends(data: bytes) -> int:
    """How the first line of a file ends, from its beginning."""
    first, line_feed, _ = data[:_LONGEST_LINE].partition(b"\n")
    if not line_feed or not first.endswith(b"\r"):
        return PLAIN
    return WINDOWS_SCRIPT if first.startswith(b"#!") else WINDOWS


def _read_through(name: str, folder: int) -> tuple[str, int, os.stat_result | None]:
    """Return the hash of a file, how its first line ends, and its state while it was read; None if that changed."""
    descriptor = os.open(name, FILE, dir_fd=folder)
    try:
        first = os.fstat(descriptor)
        if not stat.S_ISREG(first.st_mode):
            raise ChangedError
        summary, ends = hashlib.sha256(), None
        while data := os.read(descriptor, _CHUNK):
            summary.update(data)
            ends = line_ends(data) if ends is None else ends
        last = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    same = last if _signature(first) == _signature(last) else None
    return summary.hexdigest(), ends or PLAIN, same
