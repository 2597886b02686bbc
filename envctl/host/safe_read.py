"""Reads a project's own files safely: only regular files within the project, up to a size limit.

A clone may contain a link to any file of the user, a device that never ends, or a pipe that blocks.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.links import as_listed, followed

LARGEST_TEXT: Final = 4 * 1024 * 1024
"""The maximum size of a text that envctl itself reads, in bytes."""
LARGEST_INPUT: Final = 64 * 1024 * 1024
"""The maximum size of a text that a build uses, such as a package-lock.json, in bytes."""
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""Flags to open a file that somebody else may have created: without following links or waiting for pipes."""
_CHUNK: Final = 1 << 20
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class InsideError(EnvctlError):
    """A path of the project was refused: it leads outside, or is not a regular file, or is too large."""


def real_path(root: Path, relative: str | Path) -> Path:
    """The real path of a file in the project, links followed.

    FileNotFoundError if it does not exist; InsideError, with the path and its target, if it is outside the project.
    Opens nothing.
    """
    return _real_path(root, relative)[0]


def _real_path(root: Path, relative: str | Path) -> tuple[Path, Path]:
    """The real path, and the real path of the project."""
    path = root / relative
    home = followed(root)
    try:
        real = as_listed(Path(os.path.realpath(path, strict=True)))
    except (FileNotFoundError, NotADirectoryError) as error:
        # Do not reveal whether the target exists: a dangling link out of the project is an InsideError, too.
        dangling = followed(path)
        if path.is_symlink() and not dangling.is_relative_to(home):
            raise _outside(path, home, dangling) from error
        raise FileNotFoundError(*error.args[:2], str(path)) from error
    except OSError as error:
        circle = error.errno == errno.ELOOP
        reason = "its links are circular" if circle else error.strerror or error
        raise InsideError(f"{_shown(path, root)} cannot be read: {reason}") from error
    if not real.is_relative_to(home):
        raise _outside(path, home, real)
    return real, home


def read_inside(root: Path, relative: str | Path, *, largest: int = LARGEST_TEXT) -> bytes:
    """The content of a regular file of the project.

    FileNotFoundError if it does not exist; InsideError if it leads outside, is not a regular file, is larger than
    `largest` bytes, or cannot be read.
    """
    shown = _shown(root / relative, root)
    real, home = _real_path(root, relative)
    _insist_regular(real.stat().st_mode, shown)
    # The file, or a folder on the way, may be replaced after this check.
    try:
        with open_root(root) as folder:
            descriptor = open_below(folder, real.relative_to(home).as_posix())
        try:
            _insist_regular(os.fstat(descriptor).st_mode, shown)
            data = read_up_to(descriptor, largest + 1)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, InsideError):
        raise
    except OSError as error:
        raise InsideError(f"{shown} cannot be read: {error.strerror or error}") from error
    if len(data) > largest:
        raise InsideError(f"{shown} is larger than {_size(largest)}")
    return data


def text_inside(root: Path, relative: str | Path, *, errors: str = "strict") -> str:
    """The text of a file that a build reads, in UTF-8, with Python's line ends; raises the errors of `read_inside`."""
    data = read_inside(root, relative, largest=LARGEST_INPUT)
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", errors).read()


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """Open the project's folder, to open files relative to it."""
    home = os.open(followed(root), FOLDER & ~os.O_NOFOLLOW)
    try:
        yield home
    finally:
        os.close(home)


def open_below(folder: int, relative: str, flags: int = FILE) -> int:
    """Open a path relative to an open folder, if no part of it is a link.

    Somebody who can write there cannot redirect us, even by replacing a folder at this moment. OSError if the path does
    not exist, contains a link, or (with the usual `flags`) cannot be read.
    """
    here = folder
    parts = [part for part in relative.split("/") if part not in {"", "."}]
    try:
        for part in parts[:-1]:
            below = os.open(part, FOLDER, dir_fd=here)
            if here != folder:
                os.close(here)
            here = below
        return os.open(parts[-1] if parts else ".", flags, dir_fd=here)
    finally:
        if here != folder:
            os.close(here)


def refuse_links(root: Path, relative: Path) -> None:
    """InsideError, with the first link, if a path contains a link to an existing target. Opens nothing."""
    path = root
    for part in relative.parts:
        path /= part
        if path.is_symlink():
            if (root / relative).exists() or path == root / relative:
                with suppress(FileNotFoundError):
                    real_path(root, path)
                raise InsideError(
                    f"{_shown(path, root)} is a link",
                    hint="replace it with its target: links are not followed here",
                )
            return


def _insist_regular(mode: int, shown: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    kind = next((name for is_kind, name in kinds if is_kind(mode)), "not a regular file")
    raise InsideError(f"{shown} is {kind}", hint="replace it with a regular file")


def read_up_to(descriptor: int, most: int) -> bytes:
    """The rest of a file, up to `most` bytes."""
    parts = []
    while most > 0 and (data := os.read(descriptor, min(most, _CHUNK))):
        parts.append(data)
        most -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _outside(path: Path, home: Path, real: Path) -> InsideError:
    link = next(
        (part for part in (path, *path.parents) if part.is_symlink() and part != home), None
    )
    shown = _shown(path, home)
    how = f"it is {real}"
    if link is not None:
        name = "it" if link == path else _shown(link, home)
        how = f"{name} is a link to {real}"
    return InsideError(
        f"{shown} leads outside the project: {how}",
        hint="copy its target into the project",
    )


def _shown(path: Path, root: Path) -> str:
    if not path.is_relative_to(root):
        root = followed(root)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _size(number: int) -> str:
    return f"{number // 1024 // 1024} MiB" if number >= 1024 * 1024 else f"{number // 1024} KiB"
