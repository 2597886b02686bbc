"""One run per environment and backend at a time; a second one waits and says for whom."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envctl.errors import EnvctlError
from envctl.plan.progress import Progress, Report, Stage

PATIENCE = 1800.0
"""Seconds to wait for another run."""
_PAUSE = 0.1


@contextmanager
def exclusive(
    folder: Path, name: str, report: Report, *, patience: float = PATIENCE
) -> Iterator[None]:
    """Hold the lock called `name` in `folder`. EnvctlError if another holds it for too long.

    The kernel lets go of it when the process ends, however it ends; the holder's pid stands in the
    file for others to read.
    """
    for one in reversed((folder, *folder.parents)):
        if not one.is_dir():
            one.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(descriptor, name, report, patience)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def _wait(descriptor: int, name: str, report: Report, patience: float) -> None:
    deadline = time.monotonic() + patience
    said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            if not said:
                note = f"another envctl (pid {holder}) works on it; waiting"
                report(Progress(name, Stage.NOTE, note))
                said = True
            if time.monotonic() > deadline:
                raise EnvctlError(
                    f"another envctl (pid {holder}) has been working on {name} for {patience:g} s",
                    hint=f"wait for it, or end it with `kill {holder}`, and try again",
                ) from None
            time.sleep(_PAUSE)
        else:
            return
