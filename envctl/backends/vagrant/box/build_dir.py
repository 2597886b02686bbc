"""Temporary folders for building disks; the next run removes what a killed run left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envctl.backends.vagrant.names import cache_folder


@contextmanager
def build_dir() -> Iterator[Path]:
    """A temporary folder in the cache: disks need more space than `/tmp` may have."""
    place = cache_folder() / "making"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _held(place, fcntl.LOCK_EX):
        for left in place.iterdir():
            # A running process holds a lock on its folder.
            with suppress(OSError), _held(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=place))
        descriptor = _hold(folder, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    descriptor = _hold(folder, how)
    try:
        yield
    finally:
        os.close(descriptor)


def _hold(folder: Path, how: int) -> int:
    """A descriptor that locks the folder until it is closed. BlockingIOError if it is locked already."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
