"""Which files git tracks, read from its index: git is not run, since a clone's configuration names programs that it runs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.inside import InsideError, read_inside

_LARGEST: Final = 64 * 1024 * 1024
_HEAD: Final = struct.Struct(">4sII")
_FLAGS: Final = 60
"""Where the flags of an entry are; before them are times, mode and hash."""
_EXTENDED: Final = 0x4000


def tracked(root: Path) -> frozenset[str]:
    """The paths that git tracks, from the project's folder on; none where that cannot be told.

    It cannot for a part of a repository, a linked work tree, and an index of another form than version 2 or 3.
    """
    try:
        data = read_inside(root, ".git/index", largest=_LARGEST)
        return frozenset(_paths(data))
    except (OSError, InsideError, ValueError, struct.error):
        return frozenset()


def _paths(data: bytes) -> Iterator[str]:
    sign, version, count = _HEAD.unpack_from(data)
    if sign != b"DIRC" or version not in (2, 3):
        return
    place = _HEAD.size
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, place + _FLAGS)
        begin = place + _FLAGS + (4 if flags & _EXTENDED else 2)
        end = data.index(b"\0", begin)
        yield data[begin:end].decode("utf-8", "surrogateescape")
        # Filled up with one to eight zeros.
        place += (end - place + 8) // 8 * 8
