"""What Ctrl-C does: it raises KeyboardInterrupt while a command runs, and ends the process before and after.

Before there is nothing to tidy up, and nobody to catch an exception: its traceback would be all there is to see.
"""

from __future__ import annotations

import signal


def end_the_process() -> None:
    """Let an interrupt end the process at once, unless whoever started it has it ignore interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_an_exception() -> None:
    """Let an interrupt raise KeyboardInterrupt, as Python does."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
