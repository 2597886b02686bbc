"""Runs a command in a machine and reads its output until the command itself has exited.

The end of the streams would be too late, because a process that the command left running may keep them open. So a shell
around the command writes a mark with the exit code to both streams when the command exits. All the command's own output
comes before the mark.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Final

from envctl.backends.common.termination import (
    LEFT_BEHIND,
    TIMEOUT,
    OutputError,
    new_mark,
    reason,
    too_late,
    writing,
)
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine

_LOST: Final = 255
"""The exit code of ssh when ssh itself fails."""


def run(unit: str, machine: SshMachine, execution: Execution, script: Callable[[str], str]) -> int:
    """Run the script that `script` returns for a mark in the environment; its exit code.

    If this function ends early, it kills the command in the machine: all processes with the mark.
    """
    mark = new_mark()
    text = script(mark)
    try:
        if execution.tty:
            return machine.terminal(f"( {text} ); exit $?")
        return _heard(unit, machine, execution, text)
    except BaseException as error:
        all_ended = _end(machine, mark)
        if isinstance(error, TimeoutError):
            raise too_late(unit, execution, gone=all_ended) from error
        if not all_ended:
            error.add_note(LEFT_BEHIND)
        if isinstance(error, OutputError):
            raise reason(error) from None
        raise


def _heard(unit: str, machine: SshMachine, execution: Execution, text: str) -> int:
    finished = Event()
    streams: list[EndMarkWriter] = []
    # A different mark than in the environment, because a command that prints its environment would print that one.
    end_mark = new_mark()

    def check_ended() -> None:
        if all(stream.ended for stream in streams):
            finished.set()

    def marked(write: Callable[[bytes], object] | None) -> EndMarkWriter:
        streams.append(EndMarkWriter(end_mark, writing(write), check_ended))
        return streams[-1]

    stdout, stderr = marked(execution.stdout), marked(execution.stderr)
    code = machine.stream(
        around(text, end_mark),
        stdin=execution.stdin,
        stdout=stdout,
        stderr=stderr,
        timeout=execution.timeout,
        over=finished,
    )
    for stream in streams:
        stream.flush()
    if stdout.code is not None:
        return stdout.code
    if code == _LOST:
        raise EnvctlError(
            f"{unit}: the connection to its machine was lost before `{execution.shown}` finished",
            hint="run the same command again",
        )
    return code


def around(text: str, mark: str) -> str:
    """A shell script that runs another script and writes the mark after it has exited."""
    # The inner shell reports a killed child on its standard error. That is not the command's output, so it goes to
    # /dev/null. The mark is in two parts, because `ps` in the command would print this shell's arguments.
    half = len(mark) // 2
    parts = f"{mark[:half]} {mark[half:]}"
    return (
        f"{{ ( {text} ) 2>&3 3>&-; code=$?; }} 3>&2 2>/dev/null;"
        f" printf '%s%s%s\\n' {parts} \"$code\"; printf '%s%s\\n' {parts} >&2"
    )


def _end(machine: SshMachine, mark: str) -> bool:
    """Kill a command and all processes that it started. Returns whether all are gone."""
    # A pattern that does not match its own command line.
    pattern = f"[{mark[0]}]{mark[1:]}"
    # Try several times: killed processes take a while to end on a busy machine, and may have started more.
    script = (
        "tries=0; while :; do found=;"
        f" for one in $(grep -la {pattern} /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null);"
        ' do one=${one#/proc/}; kill -9 "${one%/*}" 2>/dev/null && found=1; done;'
        ' [ "$found" ] || exit 0; [ $tries -lt 50 ] || exit 1; tries=$((tries + 1)); sleep 0.1; done'
    )
    try:
        machine.run(script, timeout=TIMEOUT)
    except Exception:  # noqa: BLE001 - the user should see the reason for killing the command
        return False
    return True


class EndMarkWriter:
    """Passes on data until a mark comes, and reads the exit code after the mark, if it has one."""

    def __init__(
        self, mark: str, write: Callable[[bytes], object], then: Callable[[], object]
    ) -> None:
        self.code: int | None = None
        self.ended = False
        self._mark = mark.encode()
        self._write = write
        self._then = then
        self._held = b""

    def __call__(self, data: bytes) -> None:
        """Pass on data. Hold back bytes that may be the beginning of the mark until more data comes."""
        if self.ended:
            return
        self._held += data
        before, mark, after = self._held.partition(self._mark)
        if not mark:
            keep = self._begun(before)
            self._held = before[len(before) - keep :]
            self._pass(before[: len(before) - keep])
        else:
            self._held = mark + after
            self._pass(before)
            if b"\n" in after:
                exit_text = after.partition(b"\n")[0]
                self.code, self.ended, self._held = (
                    int(exit_text) if exit_text.isdigit() else None,
                    True,
                    b"",
                )
                self._then()

    def flush(self) -> None:
        """Pass on held back bytes, because the stream has ended without a mark."""
        data, self._held = self._held, b""
        self._pass(data)

    def _pass(self, data: bytes) -> None:
        if data:
            self._write(data)

    def _begun(self, data: bytes) -> int:
        """The number of bytes at the end that may be the beginning of the mark."""
        for size in range(min(len(self._mark) - 1, len(data)), 0, -1):
            if data.endswith(self._mark[:size]):
                return size
        return 0
