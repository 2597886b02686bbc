"""Threads that do one piece of work after another: as many as there are pieces at once, and no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Crew:
    """Daemon threads: an interrupt ends the process at once, whatever they are busy with."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._size = 0

    def do(self, work: Callable[[], object], *, busy: int) -> None:
        """Have this done, which must not raise; `busy` is how many pieces are not known to be done, this one included."""
        self._work.put(work)
        if self._size < busy:
            self._size += 1
            threading.Thread(target=self._member, daemon=True).start()

    def dismiss(self) -> None:
        """Have the threads end when they have done what they were given."""
        for _ in range(self._size):
            self._work.put(None)
        self._size = 0

    def _member(self) -> None:
        while (work := self._work.get()) is not None:
            work()
