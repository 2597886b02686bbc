"""What Ctrl-C does: it raises KeyboardInterrupt while a command runs, and ends the process before and after.

Before there is nothing to tidy up, and nobody to catch an exception: its traceback would be all there is to see.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_came: list[int] = []
"""The interrupts that have raised KeyboardInterrupt."""


def end_the_process() -> None:
    """Let an interrupt end the process at once, unless whoever started it has it ignore interrupts."""
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _interrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_an_exception() -> None:
    """Let an interrupt raise KeyboardInterrupt, as Python does."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, _interrupt)


def came() -> bool:
    """Whether an interrupt has raised KeyboardInterrupt.

    A module in another language that is being imported may make something else of it: an ImportError, or a panic.
    """
    return bool(_came)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _came.append(number)
    signal.default_int_handler(number, frame)
