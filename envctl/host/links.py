"""Follows links, with the same result in every version of Python and on every file system.

File systems of macOS and Windows treat `App` and `app` as the same name. Some even give each spelling its own inode
number, so device and inode do not help. But a folder lists only one spelling.
"""

from __future__ import annotations

import os
from pathlib import Path


def followed(path: Path) -> Path:
    """The absolute path without links, with each name in the spelling that its folder lists.

    The path need not exist. Circular links stay in it; depending on Python's version, Path would raise an error.
    """
    return as_listed(Path(os.path.realpath(path)))


def as_listed(path: Path) -> Path:
    """An absolute path with each name as its folder lists it; missing parts are kept. Does not follow links."""
    here = path.anchor
    for name in path.parts[1:]:
        here = os.path.join(here, _listed(here, name))  # noqa: PTH118 - strings are faster
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
    """A name in the Unicode form in which equal accented letters have the same code."""
    if name.isascii():
        return name
    import unicodedata

    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """A text that is equal for all names that some file system considers the same."""
    return composed(composed(name).casefold())


def _listed(folder: str, name: str) -> str:
    path = f"{folder}/{name}"
    # If the other case does not exist, as on most file systems, there is no need to list the folder.
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
