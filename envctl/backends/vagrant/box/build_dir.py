"""Temporary folders for building disks. The next run removes folders that a killed run left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from envctl.backends.vagrant.names import cache_folder
from envctl.host.file_lock import locked


@contextmanager
def build_dir() -> Iterator[Path]:
    """A temporary folder in the cache, because disks need more space than `/tmp` may have."""
    place = cache_folder() / "making"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(place):
        for leftover in place.iterdir():
            # A running process holds a lock on its folder.
            with suppress(OSError), locked(leftover, patience=0):
                shutil.rmtree(leftover, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=place))
        lock = ExitStack()
        lock.enter_context(locked(folder, patience=0))
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
