"""Turns errors into text and an exit code. No other module does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl.cli import interrupts
from envctl.cli.output import Stream
from envctl.errors import EnvctlError, Exit, Problem, SpecError

if TYPE_CHECKING:
    from envctl.cli.declare import Options

INTERRUPTED = 130
PIPE_CLOSED = 141
"""The exit code that a shell reports for a program killed by SIGPIPE: 128 + 13."""


def ignore_error(_error: EnvctlError) -> None:
    """Ignore an error that is reported elsewhere."""


def run_guarded(
    work: Callable[[], int | None],
    options: Options,
    *,
    on_error: Callable[[EnvctlError], object] = ignore_error,
) -> int:
    """Run `work` and return its exit code. An error is shown, passed to `on_error`, and its code returned."""
    try:
        code = work() or 0
        sys.stdout.flush()
    except EnvctlError as error:
        return _fail(error, options, on_error)
    except KeyboardInterrupt:
        return _interrupted(options)
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except OSError as error:
        return _fail(_refused(error), options, on_error)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the last resort: users must never see a traceback
        if interrupts.came():
            return _interrupted(options)
        on_error(EnvctlError(_crash(error, options)))
        return int(Exit.ERROR)
    return code


def _fail(error: EnvctlError, options: Options, on_error: Callable[[EnvctlError], object]) -> int:
    show(error, options)
    on_error(error)
    return int(error.exit_code)


def error_json(error: EnvctlError) -> dict[str, Any]:
    """An error as JSON: its message, and the problems of a spec one by one."""
    problems = error.problems if isinstance(error, SpecError) else ()
    return {
        "message": error.brief,
        "details": error.details,
        "hint": error.hint,
        "where": str(error.where) if error.where else None,
        "problems": [problem_json(problem) for problem in problems],
        "exit_code": int(error.exit_code),
    }


def print_error_json(error: EnvctlError) -> None:
    """Print an error as JSON, if standard output is empty so far."""
    from envctl.cli.output import json_line

    Stream(sys.stdout, no_color=True).text(json_line({"error": error_json(error)}))


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem in a spec as JSON."""
    where = problem.where
    return {
        "file": where.file,
        "line": where.line,
        "column": where.column,
        "message": problem.message,
        "expected": problem.expected,
        "hint": problem.hint,
    }


def _interrupted(options: Options) -> int:
    interrupts.end_the_process()
    _stderr(options).line("\ninterrupted; run the command again to continue")
    return INTERRUPTED


def show(error: EnvctlError, options: Options) -> None:
    """Print an error: the message, details, what to do next."""
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
    # Such an error may have the number of a file descriptor here, which does not help the user.
    named = isinstance(error.filename, str) and error.filename
    translated = EnvctlError(f"{error.filename}: {message}" if named else message)
    translated.__cause__ = error
    return translated


def _stderr(options: Options) -> Stream:
    return Stream(sys.stderr, no_color=options.no_color)


def _traceback(error: BaseException, stream: Stream) -> None:
    import traceback

    stream.text("".join(traceback.format_exception(error)))


def _crash(error: BaseException, options: Options) -> str:
    """Show an internal error of envctl, and return it on one line."""
    stream = _stderr(options)
    message = str(error).partition("\n")[0]
    text = f"internal error, {type(error).__name__}: {message}"
    if options.debug:
        _traceback(error, stream)
        return text
    log = _save_traceback(error, options.directory or Path())
    stream.line(f"envctl: {text}; run again with --debug" + (f", or see {log}" if log else ""))
    return text


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
    """Redirect the interpreter's final flush to /dev/null: nobody reads the pipe any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
