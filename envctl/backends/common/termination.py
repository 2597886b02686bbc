"""Kills commands inside a unit after a timeout or cancellation.

Engines have no call for that. A variable in the environment identifies a command's processes, and all that they
started.
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
"""How many seconds killing a command may take."""
LEFT_BEHIND: Final = (
    "it could not be killed and still runs inside: `envctl stop` stops it with its unit"
)

# The script searches several times, to find processes that were started during a search; and on a busy machine killed
# processes take a while to end. Its own environment has no mark.
SCRIPT: Final = """\
tries=0
while :; do
    found=
    for process in /proc/[0-9]*; do
        case "$(tr '\\0' '\\n' <"$process/environ" 2>/dev/null)" in
            *"$1"*) found=1; kill -9 "${process#/proc/}" 2>/dev/null ;;
        esac
    done
    [ "$found" ] || exit 0
    [ "$tries" -lt 50 ] || exit 1
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
done
"""


class OutputError(Exception):
    """The caller's own writer failed, for example because its reader is gone; the cause says why."""


def new_mark() -> str:
    """A random mark for a command."""
    return secrets.token_hex(12)


def writing(write: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
    """The writer. Its errors become OutputErrors, to distinguish them from the engine's."""

    def written(data: bytes) -> None:
        if write is None:
            return
        try:
            write(data)
        except OSError as error:
            raise OutputError from error

    return written


def reason(error: OutputError) -> BaseException:
    """The writer's error, with notes that were added later."""
    cause = error.__cause__ or error
    for note in getattr(error, "__notes__", ()):
        cause.add_note(note)
    return cause


def too_late(unit: str, execution: Execution, *, gone: bool) -> EnvctlError:
    """The error for a command that timed out; `gone` means that it could be killed."""
    killed = "it was killed; give it more time, or look at what it waits for"
    return EnvctlError(
        f"{unit}: `{execution.shown}` did not finish within {execution.timeout or 0:g} s",
        hint=killed if gone else LEFT_BEHIND,
    )
