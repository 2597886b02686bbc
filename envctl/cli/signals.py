"""Turns termination signals into an exception, so that a command in a unit is ended first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TERMINATING: Final = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """A signal asked this process to terminate."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Raise Terminated when such a signal arrives; ignored signals stay ignored. Main thread only."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        # A second signal must not interrupt the clean-up after the first.
        for handled in handlers:
            signal.signal(handled, signal.SIG_IGN)
        raise Terminated(number)

    numbers = [number for number in _TERMINATING if signal.getsignal(number) != signal.SIG_IGN]
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
