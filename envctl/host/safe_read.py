"""Reading a project's own files: regular ones within the project, of a bounded size, whoever wrote the project.

A clone may bring a link to any file of the user's, a device that never ends or a pipe at which one waits.
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
"""Bytes that a text which envctl itself reads may have."""
LARGEST_INPUT: Final = 64 * 1024 * 1024
"""Bytes of a text that is a build's, such as a package-lock.json."""
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""How a file is opened that somebody else may have put there: links are not followed, pipes not waited for."""
_CHUNK: Final = 1 << 20
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class InsideError(EnvctlError):
    """A path of the project that is not taken: it leads outside, or is no regular file, or too large."""


def real_path(root: Path, relative: str | Path) -> Path:
    """Where a path of the project really is, links followed.

    FileNotFoundError if it does not exist; InsideError, naming the path and where it leads, if that is not within
    the project. Nothing is opened.
    """
    return _real_path(root, relative)[0]


def _real_path(root: Path, relative: str | Path) -> tuple[Path, Path]:
    """The same, and where the project really is."""
    path = root / relative
    home = followed(root)
    try:
        real = as_listed(Path(os.path.realpath(path, strict=True)))
    except (FileNotFoundError, NotADirectoryError) as error:
        # A dangling link out of the project says nothing of what is there either.
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

    FileNotFoundError if it does not exist; InsideError if it leads outside, is another kind of thing, has more than
    `largest` bytes, or cannot be read.
    """
    shown = _shown(root / relative, root)
    real, home = _real_path(root, relative)
    _insist_regular(real.stat().st_mode, shown)
    # It, or a folder on the way, may be exchanged after that look.
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
    """The text of a file that a build reads, UTF-8, with line ends as Python has them; raises what `read_inside` does."""
    data = read_inside(root, relative, largest=LARGEST_INPUT)
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", errors).read()


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """A descriptor of the project's folder, to open what is in it from."""
    home = os.open(followed(root), FOLDER & ~os.O_NOFOLLOW)
    try:
        yield home
    finally:
        os.close(home)


def open_below(folder: int, relative: str, flags: int = FILE) -> int:
    """A descriptor of what is in a folder that is open, at a path on which nothing is a link.

    Whoever can write there cannot lead us elsewhere, not even by exchanging a folder at this moment. OSError if it
    does not exist, is a link or has one on the way, or (with the usual `flags`) cannot be read.
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
    """InsideError, naming the first link on the way, if there is one and it leads to something; nothing is opened."""
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
    """What is in a file from here on, up to so many bytes."""
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
