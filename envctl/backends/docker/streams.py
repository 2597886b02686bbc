"""Runs commands in running containers, with separate streams, exit code, terminal and timeout."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, Final

from envctl.backends.base import Execution
from envctl.backends.common.capped import CappedBuffer
from envctl.backends.common.termination import (
    LEFT_BEHIND,
    SCRIPT,
    VARIABLE,
    OutputError,
    new_mark,
    reason,
    too_late,
    writing,
)
from envctl.backends.common.termination import TIMEOUT as TERMINATION_TIMEOUT
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.exec_errors import HeldOutput, start_failure
from envctl.backends.docker.stream_frames import STDERR, Demultiplexer
from envctl.errors import EnvctlError

_CHUNK: Final = 64 * 1024
NO_DETACHING: Final = "ctrl-@,ctrl-_,ctrl-@"
"""The key sequence that detaches from a terminal. Docker's default would intercept Ctrl-P."""
_SETTLE: Final = 5.0
_LONGEST_PAUSE: Final = 0.5

_MOST_TOLD: Final = 64 * 1024
"""The maximum size of a test command's output that is read, in bytes."""


class ExecStream:
    """A connection that the engine handed over for a command's streams."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer
        self._socket, self._ahead = answer.take_over()
        # Held while the socket is written to or closed: the number of a closed socket may become that of another.
        self._using = threading.Lock()

    def read(self, timeout: float | None = None) -> bytes:
        """Read at least a byte; empty at the end. TimeoutError after `timeout` seconds."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        self._socket.settimeout(timeout)
        return self._socket.recv(_CHUNK)

    def write(self, data: bytes) -> None:
        """Send all of it.

        Another thread reads at the same time and changes the socket's timeout. Because of that, `sendall` could stop
        halfway without saying where.
        """
        left = memoryview(data)
        while left:
            try:
                with self._using:
                    left = left[self._socket.send(left) :]
            except (BlockingIOError, TimeoutError):
                select.select([], [self._socket], [], _LONGEST_PAUSE)

    def end_input(self) -> None:
        """Close the command's standard input."""
        with suppress(OSError), self._using:
            self._socket.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End the connection, and with it what another thread reads or writes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection. No other thread may still read from it."""
        self.cut()
        with self._using:
            self._answer.close()


def execute(engine: Engine, unit: str, container: str, execution: Execution) -> int:
    """Run a command in a unit's container; its exit code. EnvctlError if it times out.

    As in a shell, a command that cannot be started gives 127 or 126, and the reason on standard error. If this call
    ends before the command, for whatever reason, it terminates the command.
    """
    what = f"run {execution.argv[0] if execution.argv else 'nothing'} in {unit}"
    output = HeldOutput(writing(to_screen if execution.tty else execution.stdout))
    try:
        with engine.doing(what) as api:
            ended = _run(api, unit, container, execution, output)
        if not output.text or ended.get("Pid"):
            output.release()
            return int(ended["ExitCode"])
    except OutputError as error:
        # A closed output is not an error of the engine.
        raise reason(error) from None
    code, text = start_failure(output.text, unit, execution)
    if write := to_screen if execution.tty else execution.stderr:
        write(f"{text}\n".encode())
    return code


def _run(
    api: EngineApi, unit: str, container: str, execution: Execution, output: HeldOutput
) -> Mapping[str, Any]:
    """Run a command, and return its state after it has ended."""
    mark = new_mark()
    identity = api.exec_create(
        container,
        execution.argv,
        stdin=execution.tty or execution.stdin is not None,
        tty=execution.tty,
        environment={**execution.env, VARIABLE: mark},
        workdir=execution.workdir,
        user=execution.user or "",
        privileged=execution.everything,
        detach_keys=NO_DETACHING if execution.tty else None,
    )
    connection = ExecStream(api.exec_start(identity, tty=execution.tty))
    deadline = time.monotonic() + execution.timeout if execution.timeout else None
    try:
        if execution.tty:
            attach_terminal(partial(api.exec_resize, identity), connection, output)
        else:
            pass_streams(connection, execution, output, deadline)
        return _ended(api, identity, container, deadline)
    except BaseException as error:
        # While output is unread, a busy engine may do nothing else for this container.
        connection.close()
        gone = _end(api, container, execution, mark)
        if isinstance(error, TimeoutError) and deadline is not None:
            raise too_late(unit, execution, gone=gone) from error
        if not gone:
            error.add_note(LEFT_BEHIND)
        raise
    finally:
        connection.close()


def may_do_everything(engine: Engine, container: str) -> bool:
    """Whether the engine can give commands all privileges. An engine that is confined itself cannot.

    Engines report the failure in many ways, so only a command that ran proves it.
    """
    output = CappedBuffer(_MOST_TOLD)
    with engine.doing("run a command with all privileges") as api:
        argv = ["/bin/sh", "-c", "echo ran"]
        _heard(api, api.exec_create(container, argv, user="0", privileged=True), output)
    return output.data.strip() == b"ran"


def _heard(
    api: EngineApi, identity: str, output: CappedBuffer, *, timeout: float = TERMINATION_TIMEOUT
) -> None:
    """Start a command and collect its output until it ends. TimeoutError if that takes too long."""
    deadline = time.monotonic() + timeout
    connection = ExecStream(api.exec_start(identity))
    try:
        pass_streams(connection, Execution((), stdout=output, stderr=output), output, deadline)
    finally:
        connection.close()


def _ended(
    api: EngineApi, identity: str, container: str, deadline: float | None
) -> Mapping[str, Any]:
    """The state of a command that has ended. The engine may report it later than the end of its streams."""
    settle_until, pause = time.monotonic() + _SETTLE, 0.01
    while True:
        state: Mapping[str, Any] = api.exec_inspect(identity)
        running = state.get("Running")
        if not running and state.get("ExitCode") is not None:
            return state
        now = time.monotonic()
        if deadline is not None and now > deadline:
            raise TimeoutError
        if now > settle_until and not (running and _is_running(api, container)):
            raise EnvctlError("the engine does not report how the command ended")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_running(api: EngineApi, container: str) -> bool:
    return bool(api.inspect_container(container)["State"]["Running"])


def _end(api: EngineApi, container: str, execution: Execution, mark: str) -> bool:
    """Terminate a command and everything that it started. Returns whether that succeeded."""
    argv = ["/bin/sh", "-c", SCRIPT, "end", f"{VARIABLE}={mark}"]
    try:
        identity = api.exec_create(
            container, argv, user=execution.user or "", privileged=execution.everything
        )
        _heard(api, identity, CappedBuffer(_MOST_TOLD))
        ended = _ended(api, identity, container, time.monotonic() + _SETTLE)
    except Exception:  # noqa: BLE001 - the user should see the reason for ending the command
        return False
    return ended.get("ExitCode") == 0


# --- plain streams --------------------------------------------------------------------------


def pass_streams(
    connection: ExecStream,
    execution: Execution,
    output: Callable[[bytes], object],
    deadline: float | None,
) -> None:
    """Pass on a command's streams until they end. TimeoutError at the deadline."""
    if execution.stdin is not None:
        pump = threading.Thread(target=_feed, args=(connection, execution.stdin), daemon=True)
        pump.start()
    demultiplexer = Demultiplexer()
    errors = writing(execution.stderr)
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        data = connection.read(left)
        if not data:
            return
        for stream, content in demultiplexer.feed(data):
            (errors if stream == STDERR else output)(content)


def _feed(connection: ExecStream, source: BinaryIO) -> None:
    read = getattr(source, "read1", source.read)
    # A command may exit without reading all of its input.
    with suppress(OSError, ValueError):
        while data := read(_CHUNK):
            connection.write(data)
    connection.end_input()


# --- terminals ------------------------------------------------------------------------------


def attach_terminal(
    resize: Callable[..., object], connection: ExecStream, screen: Callable[[bytes], object]
) -> None:
    """Attach the caller's terminal until the command ends; `resize` passes on the terminal's size."""
    woken, wake = os.pipe()
    output = threading.Thread(target=_show, args=(connection, screen, wake), daemon=True)
    keyboard = sys.stdin.fileno()
    try:
        with _raw(keyboard), _resizes(wake):
            output.start()
            _resize(resize)
            while True:
                ready, _, _ = select.select([keyboard, woken], [], [])
                if woken in ready:
                    if os.read(woken, 1) != b"w":
                        return
                    _resize(resize)
                if keyboard in ready:
                    typed = os.read(keyboard, _CHUNK)
                    if not typed:
                        connection.end_input()
                        output.join()
                        return
                    connection.write(typed)
    finally:
        connection.cut()
        if output.is_alive():
            output.join(_SETTLE)
        connection.close()
        # A thread that still waits for the screen writes to it later.
        if not output.is_alive():
            os.close(wake)
        os.close(woken)


def to_screen(data: bytes) -> None:
    """Write to the caller's terminal."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _show(connection: ExecStream, screen: Callable[[bytes], object], wake: int) -> None:
    with suppress(OSError, ValueError, OutputError):
        while data := connection.read():
            screen(data)
    with suppress(OSError):
        os.write(wake, b"e")


def _resize(resize: Callable[..., object]) -> None:
    with suppress(OSError, ApiError):
        size = os.get_terminal_size(sys.stdin.fileno())
        resize(height=size.lines, width=size.columns)


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    """Put the terminal into raw mode, and restore it at the end."""
    import termios
    import tty

    if not os.isatty(keyboard):
        yield
        return
    before = termios.tcgetattr(keyboard)
    try:
        # TCSADRAIN keeps what the user has already typed.
        tty.setraw(keyboard, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextmanager
def _resizes(wake: int) -> Iterator[None]:
    """Write "w" whenever the terminal's size changes. Python handles signals only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGWINCH, lambda *_: os.write(wake, b"w"))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
