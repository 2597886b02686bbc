"""Signals that ask a command to end, as exceptions: what it runs inside a unit is ended first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ASKING: Final = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Have such signals raise Terminated meanwhile; those that are ignored stay so. For the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        # One is enough: what is done for it must not be cut off by another.
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise Terminated(number)

    asking = [one for one in _ASKING if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, stop) for one in asking}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
