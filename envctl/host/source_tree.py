"""What a build takes from the project's folder: each thing with what was seen of it when it was planned."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from envctl.lazy_dataclass import dataclass

START: Final = 946_684_800
"""The year 2000, in seconds of the epoch: the time of folders that are copied."""
_SPAN: Final = 20 * 365 * 86_400


class EntryKind(StrEnum):
    """What a thing in a folder is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    PIPE = "pipe"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One thing that is taken. `path` is from what is copied on, "" for a single file.

    `digest` is the SHA-256 of a file's content, or where a link leads; `mode` the permission bits, `size` in bytes,
    `time` in seconds of the epoch.
    """

    path: str
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    size: int = 0
    digest: str = ""
    time: int = 0

    @property
    def is_program(self) -> bool:
        """Whether somebody may execute it."""
        return bool(self.mode & 0o111)


@dataclass(frozen=True, slots=True)
class SourceTree:
    """All that is taken of one file or folder, sorted by path.

    `origin` is where that really is, links followed: relative to the project, "." for the project itself. `notes` are
    worth knowing to a reader, though nothing is wrong.
    """

    origin: str = ""
    entries: tuple[SourceEntry, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether it is a single file, and no folder."""
        return len(self.entries) == 1 and not self.entries[0].path

    def place(self, entry: SourceEntry) -> str:
        """Where one of the entries is, relative to the project."""
        if not entry.path:
            return self.origin
        return entry.path if self.origin in {"", "."} else f"{self.origin}/{entry.path}"


NOTHING = SourceTree()


def content_time(digest: str) -> int:
    """A time in seconds that is the same for the same content, and hardly ever for another one; of 2000 to 2020."""
    return START + int(digest[:12], 16) % _SPAN
