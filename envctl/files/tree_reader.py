"""Reads a file or folder of the project, file by file, within limits."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeVar

from envctl.errors import Place, SpecError
from envctl.files import disk_notes, walk
from envctl.files.hashes import ChangedError, Hashes
from envctl.files.project_paths import problem
from envctl.host.safe_read import FOLDER, open_below, open_root
from envctl.host.source_tree import START, EntryKind, SourceEntry, SourceTree, content_time
from envctl.plan.text import rough_size

MOST_BYTES: Final = 16_000_000_000
"""The maximum size of one copy or context."""
MOST_ENTRIES: Final = 1_000_000
_AGAIN: Final = "run the command again when nothing writes to it, or leave it out"
_LEAVE_OUT: Final = "exclude it, with `exclude` of the copy or in an ignore file"
_S = TypeVar("_S")


class TreeReader:
    """Makes entries of the file or folder at `origin`, which the spec calls `relative`.

    `modes` are permission bits that replace the disk's, by path in the project.
    """

    def __init__(
        self,
        root: Path,
        relative: str,
        origin: str,
        name: str,
        where: Place | None,
        *,
        modes: Mapping[str, int] | None = None,
    ) -> None:
        self.root = root
        self.origin = origin
        self._relative = relative
        self._where = where
        self._hashes = Hashes(root, name)
        self._bytes = 0
        self.modes = modes or {}
        self.ends: dict[str, int] = {}
        """The path of each file whose first line ends as on Windows, and whether it is a script."""

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[int, int]]:
        """The project's folder and one in it, opened for a `with` block."""
        with open_root(self.root) as home:
            try:
                top = open_below(home, path, FOLDER)
            except OSError as error:
                raise self.unreadable("", error) from error
            try:
                yield home, top
            finally:
                os.close(top)

    def file(self, *, times: bool = False) -> SourceTree:
        """Return a single file."""
        folder, _, name = self.origin.rpartition("/")
        with self.open(folder) as (_, above):
            try:
                seen = os.stat(name, dir_fd=above, follow_symlinks=False)
            except OSError as error:
                raise self.unreadable("", error) from error
            entry = self._entry("", name, above, seen, times=times)
        self._hashes.keep()
        notes = tuple(self.notes((entry,)))
        return SourceTree(self.origin, (entry,), notes)

    def notes(self, entries: Sequence[SourceEntry]) -> Iterator[str]:
        """Yield the notes about the disk, and about line ends."""
        files = (entry for entry in entries if entry.kind is EntryKind.FILE)
        if self.modes:
            files = (entry for entry in files if self._place(entry.path) not in self.modes)
        modes = [entry.mode for entry in files]
        yield from disk_notes.of_modes(self.root, modes)
        yield from disk_notes.of_line_ends(self.ends)

    def entries(
        self, top: int, ours: walk.Rules[_S], state: _S, *, times: bool = False
    ) -> tuple[SourceEntry, ...]:
        """Return all entries of an open folder, sorted by path; with `times`, with the files' own times."""
        entries: list[SourceEntry] = []
        try:
            for thing in walk.walk(top, ours, state):
                entries.append(
                    self._entry(thing.path, thing.name, thing.folder, thing.seen, times=times)
                )
                if len(entries) > MOST_ENTRIES:
                    raise self._too_much(f"more than {MOST_ENTRIES:,} files")
        except walk.TooDeepError as error:
            shown_path = self._shown(f"{str(error)[:60]}…")
            raise problem(
                f"{shown_path} has folders nested more than {walk.DEEPEST} deep",
                self._where,
                hint=_LEAVE_OUT,
            ) from error
        except walk.UnreadableError as error:
            raise self.unreadable(error.path, error.error) from error
        self._hashes.keep()
        return tuple(sorted(entries, key=attrgetter("path")))

    def _entry(
        self, path: str, name: str, folder: int, seen: os.stat_result, *, times: bool
    ) -> SourceEntry:
        try:
            if not stat.S_ISREG(seen.st_mode) and (
                entry := _no_file(path, name, folder, seen, times=times)
            ):
                return entry
            self._bytes += seen.st_size
            if self._bytes > MOST_BYTES:
                raise self._too_many_bytes(path, seen)
            known = self._hashes.of(path, name, folder, seen)
        except OSError as error:
            raise self.unreadable(path, error) from error
        except ChangedError as error:
            message = f"{self._shown(path)} changed while it was read"
            raise problem(message, self._where, hint=_AGAIN) from error
        mode, time = stat.S_IMODE(seen.st_mode), int(seen.st_mtime) if times else known.time
        if known.ends:
            self.ends[self._place(path)] = known.ends
        if self.modes:
            mode = self.modes.get(self._place(path), mode)
        return SourceEntry(path, EntryKind.FILE, mode, known.size, known.digest, time)

    def _too_many_bytes(self, path: str, seen: os.stat_result) -> SpecError:
        used = seen.st_blocks * 512
        sparse = f", of which {rough_size(used)} are used" if used * 2 < seen.st_size else ""
        most = f"more than {rough_size(MOST_BYTES)}"
        return self._too_much(
            f"{most}, {self._shown(path)} alone {rough_size(seen.st_size)}{sparse}"
            if seen.st_size > MOST_BYTES // 4
            else most
        )

    def _too_much(self, what: str) -> SpecError:
        return problem(
            f"{self._relative!r} is too large for a build: {what}",
            self._where,
            hint="exclude what the build does not need, with `exclude` of the copy or in an ignore file,"
            " or mount it",
        )

    def unreadable(self, path: str, error: OSError) -> SpecError:
        """Return the SpecError for a path that cannot be read."""
        message = f"{self._shown(path)} cannot be read: {error.strerror or error}"
        return problem(message, self._where, hint=f"make it readable, or {_LEAVE_OUT}")

    def _place(self, path: str) -> str:
        return SourceTree(self.origin).place(SourceEntry(path))

    def _shown(self, path: str) -> str:
        return repr(self._place(path))


def _no_file(
    path: str, name: str, folder: int, seen: os.stat_result, *, times: bool
) -> SourceEntry | None:
    """Return the entry of a folder, pipe or link; None for anything else. OSError if a link cannot be read."""
    mode, time = stat.S_IMODE(seen.st_mode), int(seen.st_mtime) if times else START
    if stat.S_ISDIR(seen.st_mode):
        return SourceEntry(path, EntryKind.FOLDER, mode, time=time)
    if stat.S_ISFIFO(seen.st_mode):
        return SourceEntry(path, EntryKind.PIPE, mode, time=time)
    if not stat.S_ISLNK(seen.st_mode):
        return None
    to = os.readlink(name, dir_fd=folder)
    if not times:
        time = content_time(hashlib.sha256(os.fsencode(to)).hexdigest())
    return SourceEntry(path, EntryKind.LINK, 0o777, digest=to, time=time)
