"""Replace files atomically: a reader sees the old content or the new content, never a part of it.

New content is first written to a temporary file in the same folder, because a rename is atomic only within a file system.
The rename replaces a symbolic link itself, not the file that it points to.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from envctl.errors import EnvctlError
from envctl.host.links import followed

LEFTOVER_AGE: Final = 3600.0
"""Seconds after which an unfinished file belongs to a process that was killed: nothing takes that long to write a chunk."""
_PREFIX: Final = ".envctl-"
_SUFFIX: Final = ".new"
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def replacement(target: str | Path, *, folder: int | None = None) -> Iterator[str]:
    """Yield an unused path beside `target`; what the block creates there takes the target's place.

    If the block raises, it is deleted instead. With `folder`, an open folder, paths are relative to it.
    """
    fresh = _unused_path(target)
    try:
        yield fresh
        os.replace(fresh, target, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh, dir_fd=folder)
        raise


@contextmanager
def replacement_file(
    target: str | Path,
    *,
    mode: int | None = None,
    folder: int | None = None,
    durable: bool = True,
) -> Iterator[BinaryIO]:
    """Open a new file that takes the target's place when the block ends without an error.

    Without a `mode`, the file keeps the permissions of the file that it replaces, or gets the default ones if it is
    new. A `durable` replacement survives a power failure: otherwise a file system may store the new name before the
    content.
    """
    if mode is None:
        mode = _existing_mode(target, folder)
    with (
        replacement(target, folder=folder) as fresh,
        _create(fresh, mode, folder=folder, durable=durable) as file,
    ):
        yield file
    if durable:
        _sync_folder(target, folder)


def replace_file(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Write a file in one step, as `replacement_file` does, and delete what killed processes left beside it."""
    remove_leftovers(path.parent)
    with replacement_file(path, mode=mode, durable=durable) as file:
        file.write(data)


def create_file(path: Path, data: bytes, *, mode: int) -> bool:
    """Write a new file in one step; False if the path exists. Of several writers exactly one succeeds."""
    remove_leftovers(path.parent)
    fresh = _unused_path(path)
    try:
        with _create(fresh, mode, durable=True) as file:
            file.write(data)
        try:
            os.link(fresh, path, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links: only the caller's lock keeps two writers apart.
            if os.path.lexists(path):
                return False
            Path(fresh).replace(path)
        _sync_folder(path)
    finally:
        with suppress(OSError):
            Path(fresh).unlink()
    return True


def write_user_file(path: Path, text: str) -> None:
    """Write a file that the user asked for atomically, through links. EnvctlError, with its path, if that fails."""
    target = writable_path(path)
    try:
        replace_file(target, text.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise _not_writable(path, error) from error


def writable_path(path: Path) -> Path:
    """The file that `path` names, links followed. EnvctlError, with its path, if no file can be written there."""
    target = followed(path)
    try:
        # The methods of Path treat circular links differently, depending on Python's version.
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise EnvctlError(
                f"{path} cannot be written: the folder {path.parent} does not exist"
            ) from None
        return target
    except OSError as error:
        raise _not_writable(path, error) from error
    if stat.S_ISDIR(mode):
        raise EnvctlError(f"{path} is a folder", hint="name a file in it")
    if not stat.S_ISREG(mode):
        raise EnvctlError(f"{path} is not a regular file", hint="name another file")
    return target


def remove_leftovers(folder: str | Path | int) -> None:
    """Delete unfinished files of processes that were killed. Errors are ignored."""
    oldest = time.time() - LEFTOVER_AGE
    parent = folder if isinstance(folder, int) else None
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)):
                continue
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    # unlink refuses folders, which envctl never creates here.
                    os.unlink(entry.name if parent is not None else entry.path, dir_fd=parent)


def set_mode(file: Path | int, mode: int) -> None:
    """Set the permissions of a file, or of an open one.

    Some file systems (vfat, drvfs) store no permissions and ignore this or refuse it. OSError for any other failure.
    """
    with suppress(PermissionError):
        os.chmod(file, mode)  # noqa: PTH101 - Path.chmod takes no open file


# --- parts


def _unused_path(target: str | Path) -> str:
    name = f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}"
    return os.path.join(os.path.dirname(target), name)  # noqa: PTH118, PTH120 - strings are faster here


@contextmanager
def _create(
    path: str, mode: int | None, *, durable: bool, folder: int | None = None
) -> Iterator[BinaryIO]:
    """Open a new file with these permissions, whatever the umask is; without a mode, with the default ones."""
    descriptor = os.open(path, _CREATE, 0o666 if mode is None else mode, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        # Set the mode after writing, because writing clears the setuid bit.
        if mode is not None and mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
            set_mode(descriptor, mode)
        if durable:
            os.fsync(descriptor)


def _existing_mode(target: str | Path, folder: int | None) -> int | None:
    """The permissions of a regular file; None if it does not exist."""
    try:
        mode = os.stat(target, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


def _sync_folder(target: str | Path, folder: int | None = None) -> None:
    """Flush the entry of a file in its folder to disk. Some file systems (vfat, 9p) cannot sync a folder."""
    with suppress(OSError):
        parent = os.path.dirname(target) or "."  # noqa: PTH120 - strings are faster here
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_writable(path: Path, error: OSError) -> EnvctlError:
    return EnvctlError(f"{path} cannot be written: {error.strerror or error}")
