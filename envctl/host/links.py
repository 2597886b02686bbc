"""Follows links, with the same result in every version of Python and on every file system.

File systems of macOS and Windows take `App` and `app` for the same name. Some even give each spelling its own inode
number, so device and inode do not help; a folder lists only one spelling.
"""

from __future__ import annotations

import os
from pathlib import Path


def followed(path: Path) -> Path:
    """The absolute path without links, with each name spelt as its folder lists it.

    It need not exist. Circular links stay in it: depending on Python's version, Path raises an error or leaves them, too.
    """
    return as_listed(Path(os.path.realpath(path)))


def as_listed(path: Path) -> Path:
    """An absolute path with each name spelt as its folder lists it; missing parts stay as they are. No link is followed."""
    here = path.anchor
    for name in path.parts[1:]:
        here = os.path.join(here, _listed(here, name))  # noqa: PTH118 - strings are quicker
    return Path(here)


def ignores_case(path: Path) -> bool:
    """Whether this path also exists under another spelling of its name."""
    other = path.name.swapcase()
    if other == path.name or not all(map(os.path.lexists, (path, path.with_name(other)))):
        return False
    try:
        return not {other, path.name} <= set(os.listdir(path.parent))  # noqa: PTH208
    except OSError:
        return True


def composed(name: str) -> str:
    """A name in the Unicode form that different spellings of an accent share."""
    if name.isascii():
        return name
    import unicodedata

    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """The same text for all names that some file system takes for this one."""
    return composed(composed(name).casefold())


def _listed(folder: str, name: str) -> str:
    path = f"{folder}/{name}"
    # If the other case does not exist, as on most file systems, listing the folder is not needed.
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
