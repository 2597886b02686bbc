"""The files of the project that a build uses, each with its metadata at the time of planning."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from envctl.lazy_dataclass import dataclass

START: Final = 946_684_800
"""The year 2000, in seconds since 1970: the modification time of copied folders."""
_SPAN: Final = 20 * 365 * 86_400


class EntryKind(StrEnum):
    """The type of an entry in a folder."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    PIPE = "pipe"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A file, folder or link that a build uses. `path` is relative to the copied source; "" if that is a file.

    `digest` is the SHA-256 of a file's content, or the target of a link; `mode` the permission bits, `size` in bytes,
    `time` in seconds since 1970.
    """

    path: str
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    size: int = 0
    digest: str = ""
    time: int = 0

    @property
    def is_program(self) -> bool:
        """Whether any user may execute it."""
        return bool(self.mode & 0o111)


@dataclass(frozen=True, slots=True)
class SourceTree:
    """All entries of one source, sorted by path.

    `origin` is the real path of the source, links followed, relative to the project; "." is the project itself. `notes`
    are hints for the user, not errors.
    """

    origin: str = ""
    entries: tuple[SourceEntry, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether the source is a single file, not a folder."""
        return len(self.entries) == 1 and not self.entries[0].path

    def place(self, entry: SourceEntry) -> str:
        """The path of an entry, relative to the project."""
        if not entry.path:
            return self.origin
        return entry.path if self.origin in {"", "."} else f"{self.origin}/{entry.path}"


NOTHING = SourceTree()


def content_time(digest: str) -> int:
    """A time in seconds, derived from the content, between 2000 and 2020. Different contents rarely share one."""
    return START + int(digest[:12], 16) % _SPAN
