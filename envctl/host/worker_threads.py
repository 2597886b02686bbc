"""Worker threads: as many as there are simultaneous tasks, and no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Crew:
    """Daemon threads, so that an interrupt ends the process at once, whatever they are doing."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._size = 0

    def do(self, work: Callable[[], object], *, busy: int) -> None:
        """Run a task in a thread; it must not raise. `busy` is the number of unfinished tasks, including this one."""
        self._work.put(work)
        if self._size < busy:
            self._size += 1
            threading.Thread(target=self._member, daemon=True).start()

    def dismiss(self) -> None:
        """End the threads after their tasks."""
        for _ in range(self._size):
            self._work.put(None)
        self._size = 0

    def _member(self) -> None:
        while (work := self._work.get()) is not None:
            work()
