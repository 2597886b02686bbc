"""A project's private state: only for this user, outside the project, and never reached through a link.

It is in `$XDG_STATE_HOME/envctl` (`~/.local/state/envctl`), under a name derived from the project's path. So no file in
a clone can pose as private state, and no unit that mounts the project's folder can read it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.links import followed

NAME: Final = ".envctl"
"""The folder in the project where earlier versions kept private state. It is no longer read."""
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors that mean that nothing can be written: the disk is full or read-only."""
_FREE_SPACE: Final = "free some space there, or make it writable; `envctl down` works without it"
_HOME: Final = ("envctl", "projects")
_PROJECT: Final = "project"
"""The file in a private folder that names its project."""
_PRECIOUS: Final = ("secrets", "vagrant")
"""The parts of a former folder that are not just a cache."""
_CACHED: Final = ("cache", "locks", "memory", "crash.log", ".gitignore")
"""Other files that earlier versions stored there."""


def state_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for the user's state. EnvctlError if the user has no home."""
    named = Path(environ.get("XDG_STATE_HOME") or "")
    if named.is_absolute():
        return named
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise EnvctlError(
            "there is no home folder for private state",
            hint="set HOME or XDG_STATE_HOME to a folder of your own",
        ) from error


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with the private state of all the user's projects; it may not exist yet."""
    return state_home(environ) / _HOME[0]


def state_path(root: Path, *parts: str) -> Path:
    """The path of a project's private folder `parts…`, whether or not it exists."""
    return state_home().joinpath(*_HOME, _key(root), *parts)


def private_folder(root: Path, *parts: str) -> Path:
    """The project's private folder `parts…`, created if it does not exist, and not accessible to other users.

    EnvctlError if any part of it is a link, not a folder or another user's, or cannot be created.
    """
    path = _walk(root, parts, make=True)
    assert path is not None
    return path


def likely_folder(root: Path, *parts: str) -> Path:
    """The same folder, or just its path if it cannot be created."""
    try:
        return private_folder(root, *parts)
    except EnvctlError as error:
        if getattr(error.__cause__, "errno", None) not in NO_ROOM:
            raise
    return existing_folder(root, *parts) or state_path(root, *parts)


def existing_folder(root: Path, *parts: str) -> Path | None:
    """The same folder if it exists; creates nothing."""
    return _walk(root, parts, make=False)


def open_private(path: Path, flags: int) -> int:
    """Open a file in a private folder, and remove other users' access to it.

    FileNotFoundError if it does not exist (and `flags` do not create it); EnvctlError if it is a link, not a regular file,
    or cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe would block.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink() or not path.is_file():
            raise _no_file(path) from error
        raise EnvctlError(f"{path} cannot be opened: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _no_file(path)
    _close_to_others(descriptor, status, 0o600)
    return descriptor


# --- what is never shown to a unit


def is_private(path: Path, root: Path) -> bool:
    """Whether a path is inside private state: the user's, or a former folder in the project.

    Folders are compared by identity, not by spelling: a link, another case or a bind mount makes no difference.
    """
    real = followed(path)
    return any(
        _same(above, private) for private in _private(root) for above in (real, *real.parents)
    )


def private_ids(root: Path) -> frozenset[tuple[int, int]]:
    """The identity of the folders with private state: device and inode."""
    ids = set()
    for folder in _private(root):
        with suppress(OSError):
            seen = followed(folder).stat()
            ids.add((seen.st_dev, seen.st_ino))
    return frozenset(ids)


def hidden_below(path: Path, root: Path) -> Iterator[str]:
    """The folders with private state below a path, relative to it."""
    top = followed(path)
    for private in _private(root):
        real = followed(private)
        above = next((parent for parent in real.parents if _same(parent, top)), None)
        # A link to private state exposes nothing to a unit that cannot reach its target.
        if above is not None and not private.is_symlink():
            yield real.relative_to(above).as_posix()


def _private(root: Path) -> tuple[Path, ...]:
    former = root / NAME
    return (state_folder(), *([former] if os.path.lexists(former) else []))


def _same(path: Path, other: Path) -> bool:
    try:
        # Some file systems give each spelling of a name its own inode number.
        return path == followed(other) or path.samefile(other)
    except OSError:
        return False


# --- state of another place -----------------------------------------------------------------


def refuse_foreign_state(root: Path, environment: str) -> None:
    """EnvctlError if the project's own folder contains secrets or keys of an environment; these are not used.

    They may have come with the project, or from an earlier version of envctl. Only the user knows.
    """
    for part in _PRECIOUS:
        existing = root / NAME / part / environment
        if os.path.lexists(existing) and not os.path.lexists(state_path(root, part, environment)):
            raise EnvctlError(
                f"{existing} is in the project's folder, where envctl no longer keeps private state",
                details="If it came with the project, other people know the secrets and keys in it.",
                hint="remove it unless it is yours;"
                " if an earlier version of envctl created it, `envctl trust --state` moves it",
            )


def take_over_state(root: Path) -> Path | None:
    """Move the state in the project's own folder to the user's private state. Returns that, or None without state.

    Files that envctl never stored there stay.

    EnvctlError if there already is a private folder, or if a part of the state is a link or belongs to another user.
    """
    former = root / NAME
    if not os.path.lexists(former):
        return None
    for path in (former, *former.rglob("*")):
        status = path.lstat()
        if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
            raise _no_file(path)
        if status.st_uid not in _owners():
            raise _foreign(path, status.st_uid)
    import shutil

    home = private_folder(root)
    for part in _PRECIOUS:
        if (former / part).is_dir():
            shutil.copytree(former / part, home / part, dirs_exist_ok=True)
    for part in (*_PRECIOUS, *_CACHED):
        if (former / part).is_dir():
            shutil.rmtree(former / part)
        else:
            (former / part).unlink(missing_ok=True)
    with suppress(OSError):
        former.rmdir()
    return former


# --- parts ----------------------------------------------------------------------------------


def _key(root: Path) -> str:
    """The name of a project's private folder: unique and recognisable."""
    path = followed(root)
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-.")[:40]
    return f"{name or 'project'}-{digest}"


def _walk(root: Path, parts: tuple[str, ...], *, make: bool) -> Path | None:
    path = state_home()
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        here = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if not make and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        raise EnvctlError(
            f"{path} cannot be used: {error.strerror}",
            hint="envctl keeps private state there: set XDG_STATE_HOME to a folder of your own",
        ) from error
    project = state_path(root)
    try:
        for part in (*_HOME, _key(root), *parts):
            path /= part
            below = _enter(here, path, make=make)
            if below is None:
                return None
            os.close(here)
            here = below
            if make and path == project:
                _note_project(path, root)
    finally:
        os.close(here)
    return path


def _note_project(folder: Path, root: Path) -> None:
    """Record in a private folder which project it belongs to."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        descriptor = os.open(folder / _PROJECT, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.fsencode(f"{followed(root)}\n"))


def _owners() -> frozenset[int]:
    """The owners whose folders may be used: this user and root."""
    return frozenset((os.geteuid(), 0))


def _enter(parent: int, path: Path, *, make: bool) -> int | None:
    """Open the folder `path`, whose parent is open; None if it does not exist."""
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
    status = os.fstat(descriptor)
    if status.st_uid not in _owners():
        os.close(descriptor)
        raise _foreign(path, status.st_uid)
    _close_to_others(descriptor, status, 0o700)
    if (
        make
        and stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077
        and not _is_read_only(descriptor)
    ):
        os.close(descriptor)
        raise _open_to_others(path)
    return descriptor


def _is_read_only(descriptor: int) -> bool:
    return bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)


def _open_to_others(path: Path) -> EnvctlError:
    return EnvctlError(
        f"{path} cannot be closed to other users: its file system has no permissions",
        details="Generated secrets and keys are stored there; everyone on this machine could read them.",
        hint="set XDG_STATE_HOME to a folder on another file system (in WSL: not below /mnt/c), or mount this one for yourself only"
        " (on vfat and drvfs: umask=077)",
    )


def _close_to_others(descriptor: int, status: os.stat_result, mode: int) -> None:
    if stat.S_IMODE(status.st_mode) & ~mode:
        # Fails on read-only file systems and on those without permissions.
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & mode)


def _foreign(path: Path, owner: int) -> EnvctlError:
    return EnvctlError(
        f"{path} belongs to another user (number {owner})",
        hint="envctl keeps secrets there: remove it, or run envctl as its owner",
    )


def _no_folder(path: Path, error: OSError) -> EnvctlError:
    hint = f"remove it (`rm {path}`): envctl will create a folder in its place"
    if path.is_symlink():
        return EnvctlError(f"{path} is a link", hint=hint)
    if path.exists() and not path.is_dir():
        return EnvctlError(f"{path} is not a folder", hint=hint)
    return EnvctlError(
        f"{path} cannot be used: {error.strerror}",
        hint="" if error.errno not in NO_ROOM else _FREE_SPACE,
    )


def _no_file(path: Path) -> EnvctlError:
    what = "a link" if path.is_symlink() else "not a regular file"
    return EnvctlError(
        f"{path} is {what}", hint="remove it: envctl will create a file in its place"
    )
