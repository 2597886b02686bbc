"""One run per environment and backend at a time; a second one waits and says for whom."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envctl.errors import EnvctlError
from envctl.plan.progress import Progress, Report, Stage
from envctl.private import open_private

PATIENCE = 1800.0
"""Seconds to wait for another run."""
_PAUSE = 0.1
_PID = re.compile(rb"[0-9]{1,10}\n?\Z")


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
    descriptor = open_private(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT)
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
            pid = _holder(descriptor)
            who = f"another envctl (pid {pid})" if pid else "another envctl"
            if not said:
                report(Progress(name, Stage.NOTE, f"{who} works on it; waiting"))
                said = True
            if time.monotonic() > deadline:
                end = f", or end it with `kill {pid}`," if pid else ""
                raise EnvctlError(
                    f"{who} has been working on {name} for {patience:g} s",
                    hint=f"wait for it{end} and try again",
                ) from None
            time.sleep(_PAUSE)
        else:
            return


def _holder(descriptor: int) -> str:
    """The pid in the file; "" if there is none, or what else stands there."""
    text = os.pread(descriptor, 32, 0)
    return text.decode("ascii").strip() if _PID.match(text) else ""
