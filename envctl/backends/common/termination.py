"""Commands inside a unit that have to end before they do so by themselves: their time is over, or nobody wants them any more.

Engines have no call for that. A command's processes, and all that they started, are known by a variable of their
environment.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.base import Execution

VARIABLE: Final = "ENVCTL_EXECUTION"
TIMEOUT: Final = 10.0
"""Seconds that ending a command may take."""
LEFT_BEHIND: Final = (
    "it could not be ended, and goes on inside: `envctl stop` ends it with its unit"
)

# It looks several times: what is about to be started while it looks is found the next time. Its own environment has no mark.
SCRIPT: Final = """\
tries=0
while [ "$tries" -lt 5 ]; do
    found=
    for one in /proc/[0-9]*; do
        case "$(tr '\\0' '\\n' <"$one/environ" 2>/dev/null)" in
            *"$1"*) found=1; kill -9 "${one#/proc/}" 2>/dev/null ;;
        esac
    done
    [ "$found" ] || exit 0
    tries=$((tries + 1))
done
exit 1
"""


class OutputError(Exception):
    """The caller's own writer failed, for the reason that is the cause: nobody reads any more, for instance."""


def new_mark() -> str:
    """A mark of a command."""
    return secrets.token_hex(12)


def writing(write: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
    """The writer; what it raises comes out as OutputError, and is taken for no failure of an engine."""

    def written(data: bytes) -> None:
        if write is None:
            return
        try:
            write(data)
        except OSError as error:
            raise OutputError from error

    return written


def reason(error: OutputError) -> BaseException:
    """What the writer raised, with what was noted since."""
    cause = error.__cause__ or error
    for note in getattr(error, "__notes__", ()):
        cause.add_note(note)
    return cause


def too_late(unit: str, execution: Execution, *, gone: bool) -> EnvctlError:
    """The error for a command whose time was over; `gone` says that it could be ended."""
    ended = "it was ended; give it more time, or look at what it waits for"
    return EnvctlError(
        f"{unit}: `{execution.shown}` did not end within {execution.timeout or 0:g} s",
        hint=ended if gone else LEFT_BEHIND,
    )
