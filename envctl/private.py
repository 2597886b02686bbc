"""The project's own private folder, `.envctl`: for this user alone, and never reached through a link.

A repository may bring a link in the place of anything below it; what is written or deleted there
would then be another file of the user's.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from envctl.errors import EnvctlError

NAME = ".envctl"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""What says that nothing can be written to a disk: it is full, or read-only."""
_ROOM = "free some space there, or make it writable; `envctl down` works without"


def private_folder(root: Path, *parts: str) -> Path:
    """The folder `.envctl/parts…` of a project, made where it is not there, and closed to others.

    EnvctlError if any part of it is a link, no folder or another user's, or cannot be made.
    """
    path = _walk(root, parts, make=True)
    assert path is not None
    return path


def likely_folder(root: Path, *parts: str) -> Path:
    """The same folder, or, where nothing can be written, the path that it would have."""
    try:
        return private_folder(root, *parts)
    except EnvctlError as error:
        if getattr(error.__cause__, "errno", None) not in NO_ROOM:
            raise
    return existing_folder(root, *parts) or root.joinpath(NAME, *parts)


def existing_folder(root: Path, *parts: str) -> Path | None:
    """The same folder if it is there; nothing is made."""
    return _walk(root, parts, make=False)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file in a private folder, which others cannot read from now on.

    FileNotFoundError if it is not there (and `flags` do not make it); EnvctlError if it is a link,
    no regular file, or cannot be opened.
    """
    # A pipe in its place must not keep us waiting.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink() or not path.is_file():
            raise _no_file(path) from error
        raise EnvctlError(f"{path} cannot be opened: {error.strerror}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _no_file(path)
    _close_to_others(descriptor, found, 0o600)
    return descriptor


def _walk(root: Path, parts: tuple[str, ...], *, make: bool) -> Path | None:
    try:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        if not make:
            return None
        raise
    owners = _owners(os.fstat(here).st_uid)
    path = root
    try:
        for part in (NAME, *parts):
            path /= part
            below = _enter(here, path, owners, make=make)
            if below is None:
                return None
            os.close(here)
            here = below
    finally:
        os.close(here)
    return path


def _owners(of_project: int) -> frozenset[int]:
    """Whose folders may be used: this user's and root's; root uses those of the project's owner too."""
    own = os.geteuid()
    return frozenset((own, 0, of_project) if own == 0 else (own, 0))


def _enter(parent: int, path: Path, owners: frozenset[int], *, make: bool) -> int | None:
    """A descriptor of the folder `path`, whose parent is open; None if it is not there."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(path.name, 0o700, dir_fd=parent)
        descriptor = os.open(path.name, flags, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _no_folder(path, error) from error
    found = os.fstat(descriptor)
    if found.st_uid not in owners:
        os.close(descriptor)
        raise EnvctlError(
            f"{path} belongs to another user (number {found.st_uid})",
            hint="envctl keeps secrets there: remove it, or run envctl as its owner",
        )
    _close_to_others(descriptor, found, 0o700)
    return descriptor


def _close_to_others(descriptor: int, found: os.stat_result, mode: int) -> None:
    if stat.S_IMODE(found.st_mode) & ~mode:
        # Not on a file system without permissions, or one that is read only.
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & mode)


def _no_folder(path: Path, error: OSError) -> EnvctlError:
    hint = f"remove it (`rm {path}`): envctl makes a folder of its own in its place"
    if path.is_symlink():
        return EnvctlError(f"{path} is a link", hint=hint)
    if path.exists() and not path.is_dir():
        return EnvctlError(f"{path} is not a folder", hint=hint)
    return EnvctlError(
        f"{path} cannot be used: {error.strerror}", hint="" if error.errno not in NO_ROOM else _ROOM
    )


def _no_file(path: Path) -> EnvctlError:
    what = "a link" if path.is_symlink() else "not a regular file"
    return EnvctlError(
        f"{path} is {what}", hint="remove it: envctl makes a file of its own in its place"
    )
