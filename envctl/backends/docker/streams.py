"""Commands inside running containers: streams kept apart, exit code, terminal, time-out."""

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
from envctl.backends.docker.api import Client
from envctl.backends.docker.client import Engine
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.exec_errors import HeldOutput, start_failure
from envctl.backends.docker.stream_frames import STDERR, Demultiplexer
from envctl.errors import EnvctlError

_CHUNK: Final = 64 * 1024
NO_DETACHING: Final = "ctrl-@,ctrl-_,ctrl-@"
"""The engine's keys to let go of a terminal; its own choice would swallow Ctrl-P."""
_SETTLE: Final = 5.0
_LONGEST_PAUSE: Final = 0.5

_MOST_TOLD: Final = 64 * 1024
"""Bytes that a program tells which is only asked whether it runs."""


class ExecStream:
    """A connection the engine has handed over to a command's streams."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer
        self._socket, self._ahead = answer.take_over()

    def read(self, timeout: float | None = None) -> bytes:
        """What has come, at least a byte; nothing at the end. TimeoutError after `timeout` seconds."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        self._socket.settimeout(timeout)
        return self._socket.recv(_CHUNK)

    def write(self, data: bytes) -> None:
        """Send all of it.

        Meanwhile another thread reads, and sets how long the socket waits: `sendall` would then give up in the middle, and
        not say where.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except (BlockingIOError, TimeoutError):
                select.select([], [self._socket], [], _LONGEST_PAUSE)

    def end_input(self) -> None:
        """Tell the command that its standard input has ended."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of it, also of a read that another thread is in."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._answer.close()


def execute(engine: Engine, unit: str, container: str, execution: Execution) -> int:
    """Run a command in a unit's container; its exit code. EnvctlError if its time-out passes.

    As in a shell, what cannot be started ends with 127 or 126, and its standard error says why. If this ends before
    the command does, for whatever reason, the command is ended.
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
        # That nobody reads is no failure of the engine's.
        raise reason(error) from None
    code, text = start_failure(output.text, unit, execution)
    if write := to_screen if execution.tty else execution.stderr:
        write(f"{text}\n".encode())
    return code


def _run(
    api: Client, unit: str, container: str, execution: Execution, output: HeldOutput
) -> Mapping[str, Any]:
    """Run it; what the engine says of it when it has ended."""
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
        # As long as nobody reads, an engine that is flooded may do nothing else for this container.
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
    """Whether commands can be given all rights: an engine that lacks one itself cannot give it.

    Only one that ran says so: a busy engine refuses in many words.
    """
    output = CappedBuffer(_MOST_TOLD)
    with engine.doing("run a command with all rights") as api:
        argv = ["/bin/sh", "-c", "echo ran"]
        _heard(api, api.exec_create(container, argv, user="0", privileged=True), output)
    return output.data.strip() == b"ran"


def _heard(
    api: Client, identity: str, output: CappedBuffer, *, timeout: float = TERMINATION_TIMEOUT
) -> None:
    """Start a command and hear what it tells, until its end. TimeoutError if that does not come in time."""
    deadline = time.monotonic() + timeout
    connection = ExecStream(api.exec_start(identity))
    try:
        pass_streams(connection, Execution((), stdout=output, stderr=output), output, deadline)
    finally:
        connection.close()


def _ended(api: Client, identity: str, container: str, deadline: float | None) -> Mapping[str, Any]:
    """What the engine says of a command that has ended: it may do so after its streams have."""
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
            raise EnvctlError("the engine does not say how the command ended")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_running(api: Client, container: str) -> bool:
    return bool(api.inspect_container(container)["State"]["Running"])


def _end(api: Client, container: str, execution: Execution, mark: str) -> bool:
    """End a command with all that it started; whether nothing of it is left."""
    argv = ["/bin/sh", "-c", SCRIPT, "end", f"{VARIABLE}={mark}"]
    try:
        identity = api.exec_create(
            container, argv, user=execution.user or "", privileged=execution.everything
        )
        _heard(api, identity, CappedBuffer(_MOST_TOLD))
        ended = _ended(api, identity, container, time.monotonic() + _SETTLE)
    except Exception:  # noqa: BLE001 - what it is ended for is what is to be told
        return False
    return ended.get("ExitCode") == 0


# --- plain streams --------------------------------------------------------------------------


def pass_streams(
    connection: ExecStream,
    execution: Execution,
    output: Callable[[bytes], object],
    deadline: float | None,
) -> None:
    """Pass a command's streams on until they end. TimeoutError at the deadline."""
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
    # A command may end without having read all of its input.
    with suppress(OSError, ValueError):
        while data := read(_CHUNK):
            connection.write(data)
    connection.end_input()


# --- terminals ------------------------------------------------------------------------------


def attach_terminal(
    resize: Callable[..., object], connection: ExecStream, screen: Callable[[bytes], object]
) -> None:
    """Attach the caller's terminal until the command ends; `resize` tells it the terminal's size."""
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
        connection.close()
        output.join(_SETTLE)
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
    """The terminal passes every key on as it is; as before at the end."""
    import termios
    import tty

    if not os.isatty(keyboard):
        yield
        return
    before = termios.tcgetattr(keyboard)
    try:
        # What has been typed ahead is kept.
        tty.setraw(keyboard, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextmanager
def _resizes(wake: int) -> Iterator[None]:
    """Write "w" whenever the terminal's size changes. Signals can be had in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGWINCH, lambda *_: os.write(wake, b"w"))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
