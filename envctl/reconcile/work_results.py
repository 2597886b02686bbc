"""Runs work in threads. The caller's thread collects the outcomes, and it alone decides what follows."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TypeAlias

from envctl.errors import EnvctlError
from envctl.host.worker_threads import Crew

Handler: TypeAlias = Callable[[EnvctlError | None], None]
"""Called in the caller's thread when work is done, with its error if it failed."""


class WorkResults:
    """Starts work in daemon threads; `active` is how many pieces are not collected yet."""

    def __init__(self) -> None:
        self.active = 0
        self._crew = Crew()
        self._results: queue.SimpleQueue[tuple[Handler, EnvctlError | None]] = queue.SimpleQueue()

    def start(self, work: Callable[[], object], handler: Handler) -> None:
        """Do the work in a thread; `collect` passes its outcome to the handler."""

        def body() -> None:
            error: EnvctlError | None = None
            try:
                work()
            except EnvctlError as caught:
                error = caught
            except Exception as caught:  # noqa: BLE001 - it must reach the user, not die with the thread
                error = EnvctlError(f"internal error: {type(caught).__name__}: {caught}")
                error.__cause__ = caught
            self._results.put((handler, error))

        self.active += 1
        self._crew.do(body, busy=self.active)

    def collect(self, *, timeout: float) -> None:
        """Pass on all available outcomes. If there are none, wait up to `timeout` seconds for one."""
        try:
            handler, error = self._results.get(timeout=timeout)
            while True:
                self.active -= 1
                handler(error)
                handler, error = self._results.get_nowait()
        except queue.Empty:
            pass

    def close(self) -> None:
        """Let the threads end when their work is done."""
        self._crew.dismiss()
