"""The command line: the only part of envctl that prints or exits."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Final

from envctl import __version__
from envctl.cli import interrupts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envctl.cli.front import Call


_COLLECT_AFTER: Final = 100_000
"""Allocations before the first garbage collection. Most commands end sooner; collecting took a tenth of their time."""


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    interrupts.end_the_process()
    gc.set_threshold(_COLLECT_AFTER)
    _open_closed_streams()
    from envctl.cli.commands import COMMANDS
    from envctl.cli.declare import Options
    from envctl.cli.failure import ignore_error, print_error_json, run_guarded
    from envctl.cli.front import read

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _look_up_absolutely()
    words = sys.argv[1:]
    if "_ENVCTL_COMPLETE" in os.environ:
        # An interrupt ends the process at once: a shell that asks for completions must not see an error.
        sys.exit(_complete())

    def work() -> int | None:
        interrupts.raise_an_exception()
        call = read(words, COMMANDS)
        if call:
            return run(call)
        text = _requested_text(words)
        if text is None:
            return _typer()
        print(text)
        return 0

    on_error = print_error_json if _wants_json(words) else ignore_error
    code = run_guarded(work, Options(), on_error=on_error)
    interrupts.end_the_process()
    gc.freeze()  # The process is about to end; a last collection would take a tenth of the time of `status`.
    sys.exit(code)


def _wants_json(words: Sequence[str]) -> bool:
    """Whether an invalid command line asks for JSON. Words after `--` belong to another command."""
    return "--json" in words[: words.index("--") if "--" in words else None]


def _complete() -> int | None:
    """Print the words that a shell offers when TAB is pressed; nothing if that fails."""
    from envctl.cli.commands import COMMANDS
    from envctl.cli.front import complete

    try:
        text = complete(os.environ, COMMANDS)
        if text is None:
            return _typer()
        print(text)
    except Exception:  # noqa: BLE001 - a shell must not show errors while completing
        return 1
    return 0


def _requested_text(words: Sequence[str]) -> str | None:
    """The version or the help, if the words ask for it in the usual way."""
    if words == ["--version"]:
        return f"envctl {__version__}"
    from envctl.cli.commands import COMMANDS
    from envctl.cli.help import requested_help

    return requested_help(words, COMMANDS)


def _open_closed_streams() -> None:
    """Open /dev/null in place of standard streams that the caller closed (`>&-`).

    Otherwise the next file that is opened would get the number of such a stream, and output would be written to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _look_up_absolutely() -> None:
    """Remove relative folders from PATH: the project in the current folder could contain a program called `virsh`."""
    path = os.environ.get("PATH")
    if path is not None:
        absolute = [folder for folder in path.split(os.pathsep) if folder.startswith(os.sep)]
        os.environ["PATH"] = os.pathsep.join(absolute) or os.defpath


def run(call: Call) -> int:
    """Run a command and return its exit code. Errors are shown, not raised."""
    from envctl.cli.failure import ignore_error, run_guarded
    from envctl.cli.invocation import Invocation

    invocation = Invocation(call.options)

    def work() -> int | None:
        try:
            return call.function(invocation, **call.arguments)
        finally:
            invocation.close()

    on_error = invocation.json_error if call.arguments.get("as_json") else ignore_error
    return run_guarded(work, call.options, on_error=on_error)


def _typer() -> int | None:
    from envctl.cli.app import CLICK_ERROR, command_line
    from envctl.cli.failure import print_error_json
    from envctl.errors import UsageError

    words = sys.argv[1:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        code: int | None = command_line(run).main(words, prog_name="envctl", standalone_mode=False)
    except CLICK_ERROR as error:
        error.show()
        if _wants_json(words):
            print_error_json(UsageError(error.format_message()))
        return int(error.exit_code)
    return code
