"""Which files git tracks and which of them are programs, read from its index: git is not run, since a clone's configuration names programs that it runs."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from envctl.host.safe_read import InsideError, read_inside

_LARGEST: Final = 64 * 1024 * 1024
_HEAD: Final = struct.Struct(">4sII")
_FLAGS: Final = 60
"""The offset of an entry's flags, after times, mode and hash."""
_MODE: Final = 24
_EXTENDED: Final = 0x4000
_LARGEST_CONFIG: Final = 1024 * 1024
_NO_MODES: Final = re.compile(
    rb"^[ \t]*filemode[ \t]*=[ \t]*(?:false|no|off|0)[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)


def knows_no_modes(root: Path) -> bool:
    """Whether git found, when it created its folder, that the disk stores no permissions."""
    try:
        return bool(_NO_MODES.search(read_inside(root, ".git/config", largest=_LARGEST_CONFIG)))
    except (OSError, InsideError):
        return False


def tracked(root: Path) -> Mapping[str, int]:
    """Return the paths that git tracks, relative to the project's folder, with their permission bits; none if that is unknown.

    It is unknown for a part of a repository, a linked work tree, and an index of another version than 2 or 3.
    """
    try:
        data = read_inside(root, ".git/index", largest=_LARGEST)
        return dict(_paths(data))
    except (OSError, InsideError, ValueError, struct.error):
        return {}


def _paths(data: bytes) -> Iterator[tuple[str, int]]:
    sign, version, count = _HEAD.unpack_from(data)
    if sign != b"DIRC" or version not in (2, 3):
        return
    place = _HEAD.size
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, place + _FLAGS)
        begin = place + _FLAGS + (4 if flags & _EXTENDED else 2)
        end = data.index(b"\0", begin)
        (mode,) = struct.unpack_from(">I", data, place + _MODE)
        yield data[begin:end].decode("utf-8", "surrogateescape"), mode & 0o777
        # Padded with one to eight zeros.
        place += (end - place + 8) // 8 * 8
