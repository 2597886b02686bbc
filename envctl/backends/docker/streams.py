"""Commands inside running containers: streams kept apart, exit code, terminal, time-out."""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final

from envctl.backends.base import Execution
from envctl.backends.docker.client import Engine
from envctl.backends.docker.frames import STDERR, Demultiplexer
from envctl.backends.docker.refusal import Held, refusal
from envctl.errors import EnvctlError

_CHUNK: Final = 64 * 1024
_MARK: Final = "ENVCTL_EXECUTION"
_NO_DETACHING: Final = "ctrl-@,ctrl-_,ctrl-@"
"""The engine's keys to let go of a terminal; its own choice would swallow Ctrl-P."""
_SETTLE: Final = 5.0
_LONGEST_PAUSE: Final = 0.5

# The engine has no call to end a command: it is found by a variable of its environment.
_SEARCH: Final = """\
for one in /proc/[0-9]*; do
    case "$(tr '\\0' ' ' <"$one/environ" 2>/dev/null)" in
        *"$1"*) kill -9 "${one#/proc/}" 2>/dev/null ;;
    esac
done
"""


class Connection:
    """A connection the engine has handed over to a command's streams."""

    def __init__(self, raw: Any) -> None:
        self._response = raw._response  # noqa: SLF001 - docker-py gives the socket only
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        # The answer's first bytes may have been read ahead together with its head.
        self._reader = self._response.raw._fp.fp  # noqa: SLF001

    def read(self, timeout: float | None = None) -> bytes:
        """What has come, at least a byte; nothing at the end. TimeoutError after `timeout` seconds."""
        self._socket.settimeout(timeout)
        data: bytes = self._reader.read1(_CHUNK)
        return data

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def end_input(self) -> None:
        """Tell the command that its standard input has ended."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of it, also of a read that another thread is in."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()


def execute(engine: Engine, unit: str, container: str, execution: Execution) -> int:
    """Run a command in a unit's container; its exit code. EnvctlError if its time-out passes.

    As in a shell, what cannot be started ends with 127 or 126, and its standard error says why.
    """
    mark = secrets.token_hex(12) if execution.timeout else ""
    environment = {**execution.env, **({_MARK: mark} if mark else {})}
    what = f"run {execution.argv[0] if execution.argv else 'nothing'} in {unit}"
    with engine.doing(what) as api:
        made = api.exec_create(
            container,
            list(execution.argv),
            stdin=execution.tty or execution.stdin is not None,
            tty=execution.tty,
            environment=environment or None,
            workdir=execution.workdir,
            user=execution.user or "",
            privileged=execution.everything,
            detach_keys=_NO_DETACHING if execution.tty else None,
        )
        identity = str(made["Id"])
        connection = Connection(api.exec_start(identity, tty=execution.tty, socket=True))
        deadline = time.monotonic() + execution.timeout if execution.timeout else None
        output = Held(_screen if execution.tty else execution.stdout)
        try:
            if execution.tty:
                _terminal(api, identity, connection, output)
            else:
                _streams(connection, execution, output, deadline)
            ended = _ended(api, identity, container, deadline)
        except TimeoutError as error:
            _end(api, container, execution.user, mark)
            raise EnvctlError(
                f"{unit}: `{execution.shown}` did not end within {execution.timeout:g} s",
                hint="it was ended; give it more time, or look at what it waits for",
            ) from error
        finally:
            connection.close()
    if output.text and not ended.get("Pid"):
        code, text = refusal(output.text, unit, execution)
        if write := _screen if execution.tty else execution.stderr:
            write(f"{text}\n".encode())
        return code
    output.release()
    return int(ended["ExitCode"])


def may_do_everything(engine: Engine, container: str) -> bool:
    """Whether commands can be given all rights: an engine that lacks one itself cannot give it.

    Only one that ran says so: a busy engine refuses in many words.
    """
    with engine.doing("run a command with all rights") as api:
        made = api.exec_create(container, ["/bin/sh", "-c", "echo ran"], user="0", privileged=True)
        said: bytes = api.exec_start(made["Id"])
    return said.strip() == b"ran"


def _ended(api: Any, identity: str, container: str, deadline: float | None) -> Mapping[str, Any]:
    """What the engine says of a command that has ended: it may do so after its streams have."""
    settled, pause = time.monotonic() + _SETTLE, 0.01
    while True:
        found: Mapping[str, Any] = api.exec_inspect(identity)
        running = found.get("Running")
        if not running and found.get("ExitCode") is not None:
            return found
        now = time.monotonic()
        if deadline is not None and now > deadline:
            raise TimeoutError
        if now > settled and not (running and _is_running(api, container)):
            raise EnvctlError("the engine does not say how the command ended")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _is_running(api: Any, container: str) -> bool:
    return bool(api.inspect_container(container)["State"]["Running"])


def _end(api: Any, container: str, user: str | None, mark: str) -> None:
    if mark:
        argv = ["/bin/sh", "-c", _SEARCH, "end", f"{_MARK}={mark}"]
        ending = api.exec_create(container, argv, user=user or "")
        api.exec_start(ending["Id"])


# --- plain streams --------------------------------------------------------------------------


def _streams(
    connection: Connection, execution: Execution, output: Held, deadline: float | None
) -> None:
    if execution.stdin is not None:
        pump = threading.Thread(target=_feed, args=(connection, execution.stdin), daemon=True)
        pump.start()
    demultiplexer = Demultiplexer()
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        data = connection.read(left)
        if not data:
            return
        for stream, content in demultiplexer.feed(data):
            writer = execution.stderr if stream == STDERR else output
            if writer is not None:
                writer(content)


def _feed(connection: Connection, source: BinaryIO) -> None:
    read = getattr(source, "read1", source.read)
    # A command may end without having read all of its input.
    with suppress(OSError, ValueError):
        while data := read(_CHUNK):
            connection.write(data)
    connection.end_input()


# --- terminals ------------------------------------------------------------------------------


def _terminal(api: Any, identity: str, connection: Connection, screen: Held) -> None:
    """Attach the caller's terminal until the command ends."""
    woken, wake = os.pipe()
    output = threading.Thread(target=_show, args=(connection, screen, wake), daemon=True)
    keyboard = sys.stdin.fileno()
    try:
        with _raw(keyboard), _resizes(wake):
            output.start()
            _resize(api, identity)
            while True:
                ready, _, _ = select.select([keyboard, woken], [], [])
                if woken in ready:
                    if os.read(woken, 1) != b"w":
                        return
                    _resize(api, identity)
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


def _screen(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _show(connection: Connection, screen: Held, wake: int) -> None:
    with suppress(OSError, ValueError):
        while data := connection.read():
            screen(data)
    with suppress(OSError):
        os.write(wake, b"e")


def _resize(api: Any, identity: str) -> None:
    from docker.errors import APIError

    with suppress(OSError, APIError):
        size = os.get_terminal_size(sys.stdin.fileno())
        api.exec_resize(identity, height=size.lines, width=size.columns)


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
