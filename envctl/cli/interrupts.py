"""Ctrl-C raises KeyboardInterrupt while a command runs, and ends the process before and after.

Outside a command nothing needs cleaning up and nothing catches exceptions, so the user would see a traceback.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_came: list[int] = []
"""The signals that have raised KeyboardInterrupt so far."""


def end_the_process() -> None:
    """Let an interrupt end the process at once, unless the parent process had it ignored."""
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _interrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_an_exception() -> None:
    """Let an interrupt raise KeyboardInterrupt, as Python does."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, _interrupt)


def came() -> bool:
    """Whether an interrupt has raised KeyboardInterrupt.

    An extension module may turn it into an ImportError or a panic while it is being imported.
    """
    return bool(_came)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _came.append(number)
    signal.default_int_handler(number, frame)
