"""Allows one run per environment and backend at a time. A second run waits, and says for which process.

A lock is a file in the folder that it protects. If that disk is full or read-only, it is in memory, under
$XDG_RUNTIME_DIR or /tmp, so that `down` still works.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.file_lock import lock
from envctl.host.private_state import NO_ROOM, open_private
from envctl.progress import Progress, Report, Stage

PATIENCE = 1800.0
"""How many seconds to wait for another run."""
_PID = re.compile(rb"[0-9]{1,10}\n?\Z")


_MEMORY: Final = ("/dev/shm", "/tmp")  # noqa: S108 - creates a private folder there


@contextmanager
def exclusive(
    folder: Path, name: str, report: Report, *, patience: float = PATIENCE
) -> Iterator[None]:
    """Hold the lock called `name` in `folder`. EnvctlError if another run holds it for too long.

    The kernel releases it when the process ends, however it ends. The holder's pid is written to the file if there is space.
    """
    descriptor = _open(folder, name)
    try:
        _wait(descriptor, name, report, patience)
        _note(descriptor, f"{os.getpid()}\n")
        yield
    finally:
        _note(descriptor, "")
        os.close(descriptor)


def is_held(folder: Path, name: str) -> bool:
    """Whether a run holds the lock called `name` in `folder`, according to the pid in the file. Takes no lock itself."""
    try:
        descriptor = open_private(folder / f"{name}.lock", os.O_RDONLY)
    except (OSError, EnvctlError):
        return False
    try:
        pid = _holder(descriptor)
        if not pid:
            return False
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    finally:
        os.close(descriptor)
    return True


def _note(descriptor: int, text: str) -> None:
    """Replace the file's content. Does nothing if the disk is full or the file is read-only."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _open(folder: Path, name: str) -> int:
    """Open the lock file; create it if it does not exist."""
    path = folder / f"{name}.lock"
    try:
        for parent in reversed((folder, *folder.parents)):
            if not parent.is_dir():
                parent.mkdir(mode=0o700, exist_ok=True)
        return open_private(path, os.O_RDWR | os.O_CREAT)
    except (OSError, EnvctlError) as error:
        if _cause(error) not in NO_ROOM:
            raise _unusable(path, error) from error
    # An existing file can be locked even on a read-only disk.
    with suppress(FileNotFoundError, NotADirectoryError):
        return open_private(path, os.O_RDONLY)
    return _in_memory(path)


def _cause(error: BaseException) -> int | None:
    """The operating system's error number behind an exception."""
    while not isinstance(error, OSError):
        if error.__cause__ is None:
            return None
        error = error.__cause__
    return error.errno


def _in_memory(path: Path) -> int:
    """Open a lock in memory in place of a file that cannot be created. Every process gets the same one."""
    name = f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}.lock"
    failures: list[str] = []
    for base in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), *_MEMORY)):
        target = Path(base, f"envctl-{os.geteuid()}", name)
        try:
            _have_own(target.parent)
            return open_private(target, os.O_RDWR | os.O_CREAT)
        except (OSError, EnvctlError) as error:
            failures.append(str(error))
    raise EnvctlError(
        f"cannot lock: neither {path} nor a replacement in memory can be created",
        details="\n".join(failures),
        hint="free some space, or set XDG_RUNTIME_DIR to a writable folder",
    )


def _have_own(folder: Path) -> None:
    """Create a folder that belongs to this user. EnvctlError if it is a link or belongs to another user."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EnvctlError(f"{folder} is not a folder of this user")


def _unusable(path: Path, error: OSError | EnvctlError) -> EnvctlError:
    if isinstance(error, EnvctlError):
        return error
    return EnvctlError(f"{path} cannot be used: {error.strerror}")


def _wait(descriptor: int, name: str, report: Report, patience: float) -> None:
    def holder() -> str:
        pid = _holder(descriptor)
        return f"another envctl (pid {pid})" if pid else "another envctl"

    try:
        lock(
            descriptor,
            patience=patience,
            on_wait=lambda: report(
                Progress(name, Stage.NOTE, f"{holder()} is running for it; waiting")
            ),
        )
    except BlockingIOError:
        pid = _holder(descriptor)
        end = f", or end it with `kill {pid}`," if pid else ""
        raise EnvctlError(
            f"{holder()} has been running for {name} for more than {patience:g} s",
            hint=f"wait for it{end} and try again",
        ) from None
    except OSError as error:
        raise EnvctlError(
            f"{name} cannot be locked: {error.strerror}",
            hint="the file system of the private state has no locks; set XDG_STATE_HOME to a folder on another one",
        ) from error


def _holder(descriptor: int) -> str:
    """The pid in the file; "" if it contains no pid."""
    text = os.pread(descriptor, 32, 0)
    return text.decode("ascii").strip() if _PID.match(text) else ""
