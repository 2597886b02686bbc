"""Where a path leads, links followed: the same answer in every version of Python, and on every disk.

Disks of macOS and Windows take `App` and `app` for the same name. Some number what a name leads to anew for each
spelling, so that device and inode do not tell either; what a folder lists is spelt in one way only.
"""

from __future__ import annotations

import os
from pathlib import Path


def followed(path: Path) -> Path:
    """The absolute path without links, each name as its folder lists it.

    It need not exist; where links lead in a circle, they are left in it. What Path makes of such a circle depends on
    the version of Python: an error, or the path as it is.
    """
    return as_listed(Path(os.path.realpath(path)))


def as_listed(path: Path) -> Path:
    """An absolute path with each name as its folder lists it; what does not exist stays as it is. No link is followed."""
    here = path.anchor
    for name in path.parts[1:]:
        here = os.path.join(here, _listed(here, name))  # noqa: PTH118 - strings are quicker
    return Path(here)


def ignores_case(path: Path) -> bool:
    """Whether what is at this path can be reached by another spelling of its name, too."""
    other = path.name.swapcase()
    if other == path.name or not all(map(os.path.lexists, (path, path.with_name(other)))):
        return False
    try:
        return not {other, path.name} <= set(os.listdir(path.parent))  # noqa: PTH208
    except OSError:
        return True


def composed(name: str) -> str:
    """A name with its accents in the one form that two spellings of them have in common."""
    if name.isascii():
        return name
    import unicodedata

    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """What is the same of all names that some disk takes for this one."""
    return composed(composed(name).casefold())


def _listed(folder: str, name: str) -> str:
    path = f"{folder}/{name}"
    # Where the other case leads nowhere, as on most disks, there is no need to list the folder.
    if name.isascii() and (
        (other := name.swapcase()) == name or not os.path.lexists(f"{folder}/{other}")
    ):
        return name
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return name
    if name in names or not os.path.lexists(path):
        return name
    return next((entry for entry in names if alike(entry) == alike(name)), name)
