"""Locks on open files and folders (flock). The kernel releases them when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.05


def lock(
    descriptor: int, *, patience: float = inf, on_wait: Callable[[], object] = lambda: None
) -> None:
    """Lock an open file or folder until it is closed; call `on_wait` once if another process has locked it.

    BlockingIOError if it is still locked after `patience` seconds; another OSError if its file system has no locks.
    """
    deadline = time.monotonic() + patience
    waits = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not waits:
                on_wait()
                waits = True
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def locked(path: Path, *, patience: float = inf, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or folder and lock it until the block ends. OSError as for `lock`, or if it cannot be opened."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        lock(descriptor, patience=patience)
        yield descriptor
    finally:
        os.close(descriptor)
