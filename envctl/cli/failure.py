"""Errors become text and an exit code here, and only here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.cli import interrupts
from envctl.cli.output import Stream
from envctl.errors import EnvctlError, Exit, SpecError

if TYPE_CHECKING:
    from envctl.cli.declare import Options

INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports for a program killed by SIGPIPE: 128 + 13."""


def run_guarded(work: Callable[[], int | None], options: Options) -> int:
    """Run `work` and return its exit code. An error is shown, and its code returned."""
    try:
        code = work() or 0
        sys.stdout.flush()
    except EnvctlError as error:
        show(error, options)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return _interrupted(options)
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except OSError as error:
        show(_refused(error), options)
        return int(Exit.ERROR)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the last line of defence: no traceback on the screen
        if interrupts.came():
            return _interrupted(options)
        _crash(error, options)
        return int(Exit.ERROR)
    return code


def _interrupted(options: Options) -> int:
    interrupts.end_the_process()
    _stderr(options).line("\ninterrupted; run the command again to continue")
    return INTERRUPTED


def show(error: EnvctlError, options: Options) -> None:
    """Print an error: what is wrong, details, what to do next."""
    stream = _stderr(options)
    if options.debug:
        _traceback(error, stream)
    if isinstance(error, SpecError):
        stream.line(error.details)
        stream.line(stream.paint(error.brief, "red"))
        return
    place = f"{error.where}: " if error.where else ""
    stream.line(stream.paint("error: ", "red", "bold") + stream.safe(place + error.brief))
    for line in error.details.rstrip().splitlines():
        stream.line(f"  {line}".rstrip())
    if error.hint:
        stream.line(stream.paint("hint: ", "cyan") + stream.safe(error.hint))


def _refused(error: OSError) -> EnvctlError:
    """Translate an error of the operating system: no permission, no space, not a folder."""
    message = error.strerror or str(error)
    # A call on a file descriptor has its number here, which tells the user nothing.
    named = isinstance(error.filename, str) and error.filename
    translated = EnvctlError(f"{error.filename}: {message}" if named else message)
    translated.__cause__ = error
    return translated


def _stderr(options: Options) -> Stream:
    return Stream(sys.stderr, no_color=options.no_color)


def _traceback(error: BaseException, stream: Stream) -> None:
    import traceback

    stream.text("".join(traceback.format_exception(error)))


def _crash(error: BaseException, options: Options) -> None:
    stream = _stderr(options)
    if options.debug:
        _traceback(error, stream)
        return
    log = _save_traceback(error, options.directory or Path())
    message = str(error).partition("\n")[0]
    stream.line(
        f"envctl: internal error, {type(error).__name__}: {message}; run again with --debug"
        + (f", or see {log}" if log else "")
    )


def _save_traceback(error: BaseException, start: Path) -> Path | None:
    """Save the traceback in the project's private folder; None if that fails or there is no project."""
    import traceback

    try:
        from envctl.definition import find_root
        from envctl.host.private_state import open_private, private_folder

        file = private_folder(find_root(start)) / "crash.log"
        descriptor = open_private(file, os.O_WRONLY | os.O_CREAT)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.truncate()
            log.write("".join(traceback.format_exception(error)))
    except Exception:  # noqa: BLE001 - must not hide the error that is about to be shown
        return None
    return file


def _forget_stdout() -> None:
    """Send the interpreter's flush at exit to /dev/null: the reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
