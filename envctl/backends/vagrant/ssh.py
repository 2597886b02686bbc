"""Machines spoken to over SSH: one shared connection each, which also carries their ports."""

from __future__ import annotations

import hashlib
import io
import os
import re
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from envctl.backends.common.capped import TOLD, Kept
from envctl.backends.vagrant import unreachable
from envctl.errors import EnvctlError

if TYPE_CHECKING:
    from envctl.backends.vagrant import systemd

BOOT_TIMEOUT: Final = 300.0
"""Seconds that a machine which has just been started may take to answer."""
CONNECT_TIMEOUT: Final = 60.0
"""Seconds that any other machine may take."""
TIMEOUT: Final = 120.0
"""Seconds that one of envctl's own commands inside may take."""
ANSWER_TIMEOUTS: Final = (10.0, 30.0)
"""Seconds until a machine's init answers; one that is emulated and busy takes its time.

It is asked twice: what cannot be told of a unit holds up whoever waits for it.
"""
_Answer = TypeVar("_Answer")
_MASTER_PID: Final = re.compile(rb"\(pid=(\d+)\)")
_PUBLIC: Final = re.compile(r"ssh-ed25519 ([A-Za-z0-9+/=]+)(\s|$)")
_CHUNK: Final = 64 * 1024
_FAILED: Final = 255


@dataclass(frozen=True, slots=True)
class Machine:
    """How to reach a machine: its folder holds the key and what is known of it."""

    unit: str
    key: Path
    known_hosts: Path
    address: str

    # --- the connection

    def connect(self, *, patience: float | None = None) -> None:
        """Have the shared connection; EnvctlError if the machine does not answer for so many seconds, or never will.

        One that has not answered this program for as long already is not waited for again.
        """
        if not self.connected():
            self._connect(CONNECT_TIMEOUT if patience is None else patience, patience)

    def wait_for_boot(self) -> None:
        """Have the shared connection to a machine that has just been started. EnvctlError as for `connect`."""
        self._connect(BOOT_TIMEOUT, None)

    def _connect(self, timeout: float, patience: float | None) -> None:
        start = time.monotonic() - unreachable.time_waited(self.control, timeout)
        while True:
            self.control.unlink(missing_ok=True)
            reason = self._master(patience)
            if reason == "":
                unreachable.forget(self.control)
                return
            error = unreachable.permanent_error(self.unit, self.address, self.key, reason)
            waited = time.monotonic() - start
            if error is None and waited <= timeout:
                time.sleep(0.3)
                continue
            raise unreachable.remember(
                self.control,
                error or unreachable.temporary_error(self.unit, self.address, reason),
                waited,
            )

    def _master(self, patience: float | None = None) -> str:
        """Start the connection's keeper, which goes to the background; "" or what went wrong."""
        import tempfile

        # The first value counts.
        first_options = (
            [] if patience is None else ["-o", f"ConnectTimeout={max(1, round(patience))}"]
        )

        with tempfile.TemporaryFile() as log:
            # It outlives this process: its output must be no pipe of ours.
            try:
                done = subprocess.run(
                    [
                        *self._ssh(first_options),
                        "-M",
                        "-N",
                        "-f",
                        "-o",
                        "ControlPersist=yes",
                        self._who,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    check=False,
                    # Its own time-out ends with the first word of the other side.
                    timeout=CONNECT_TIMEOUT if patience is None else max(2.0, 2 * patience),
                )
            except subprocess.TimeoutExpired:
                return "it let nobody in"
            log.seek(0)
            text = log.read().decode("utf-8", "replace").strip()
        return "" if done.returncode == 0 else text or "no answer"

    def connected(self) -> int:
        """The process that keeps the shared connection; 0 if there is none, or it is not alive."""
        done = self._control("check") if self.control.exists() else None
        if done is None or done.returncode:
            return 0
        match = _MASTER_PID.search(done.stderr + done.stdout)
        return int(match[1]) if match else 0

    def disconnect(self) -> None:
        """End the shared connection and what it carries."""
        unreachable.forget(self.control)
        if self.control.exists():
            self._control("exit")
        for socket_file in self.control.parent.glob(f"{self.control.name}*"):
            socket_file.unlink(missing_ok=True)

    def forward(self, address: str, port: int, inside: int, *, cancel: bool = False) -> str:
        """Carry a port of this host to one of the machine, as long as the connection lasts or it is cancelled.

        What is told of it if that cannot be done, for instance because another program has the port; else "".
        """
        spec = f"{address}:{port}:127.0.0.1:{inside}"
        if cancel:
            self._control("cancel", "-L", spec)
            return ""
        done = self._control("forward", "-L", spec)
        reason = done.stderr.decode("utf-8", "replace").strip()
        return (reason or "ssh does not say why") if done.returncode else ""

    def dial(self, target: str, timeout: float, *, patience: float | None = None) -> socket.socket:
        """A connection to HOST:PORT as seen from inside, or to a socket inside, carried by the shared one.

        No process starts inside for it. One that is refused there is closed at once.
        """
        name = hashlib.sha256(target.encode()).hexdigest()[:8]
        socket_path = self.control.with_name(f"{self.control.name}.{name}")
        with suppress(OSError):
            return _opened(socket_path, timeout)
        self.connect(patience=patience)
        spec = f"{socket_path}:{target}"
        # The connection may think that it is there, though its socket here was taken away.
        self._control("cancel", "-L", spec)
        socket_path.unlink(missing_ok=True)
        done = self._control("forward", "-L", spec)
        try:
            return _opened(socket_path, timeout)
        except OSError as error:
            reason = done.stderr.decode("utf-8", "replace")
            raise EnvctlError(
                f"{self.unit}: its connection does not carry {target}", details=reason
            ) from error

    def services(
        self, names: Sequence[str], *, patience: float | None = None
    ) -> Mapping[str, systemd.Service]:
        """What the machine's init says of its services. EnvctlError if it does not answer, for so many seconds."""
        return self._ask(lambda init: init.services(names), patience=patience)

    def main_process(self, service: str) -> int:
        """The process id, inside, of a service; 0 if it does not run. EnvctlError if the init does not answer."""
        return self._ask(lambda init: init.main_process(service))

    def _ask(
        self, question: Callable[[systemd.SystemdClient], _Answer], *, patience: float | None = None
    ) -> _Answer:
        from envctl.backends.vagrant import systemd

        timeouts = ANSWER_TIMEOUTS if patience is None else (patience,)
        for timeout in timeouts:
            try:
                with self.dial(systemd.SOCKET, timeout, patience=patience) as connection:
                    return question(systemd.SystemdClient(connection))
            except TimeoutError:
                continue
            except OSError as error:
                raise EnvctlError(f"{self.unit}: its init does not answer: {error}") from error
        raise EnvctlError(f"{self.unit} did not answer within {sum(timeouts):g} s")

    # --- commands

    def run(
        self,
        script: str,
        *,
        data: bytes | BinaryIO = b"",
        timeout: float = TIMEOUT,
        patience: float | None = None,
    ) -> str:
        """Run a shell script inside as root, with `data` as its input; what it printed, up to TOLD bytes.

        `patience` is how long a machine is waited for that does not answer.
        """
        stdout, stderr = Kept(), Kept()
        self._have_connection(patience)
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        try:
            code = self.stream(script, stdin=source, stdout=stdout, stderr=stderr, timeout=timeout)
        except TimeoutError as error:
            raise EnvctlError(f"{self.unit} did not answer within {timeout:g} s") from error
        if stdout.too_much or stderr.too_much:
            raise EnvctlError(f"{self.unit}: a command inside tells more than {TOLD >> 20} MB")
        if code:
            raise EnvctlError(f"{self.unit}: a command inside failed", details=stderr.text)
        return stdout.text

    def stream(
        self,
        script: str,
        *,
        stdin: BinaryIO | None,
        stdout: Callable[[bytes], object] | None,
        stderr: Callable[[bytes], object] | None,
        timeout: float | None,
        over: Event | None = None,
    ) -> int:
        """Run a shell script inside, its streams passed on; its exit code. TimeoutError after `timeout`.

        Who gives `over` may set it when enough was heard: the connection is let go of then. What a writer raises ends it, too.
        """
        self._have_connection()
        over, failures = over or Event(), list[BaseException]()
        with subprocess.Popen(
            [*self._ssh(), "-T", self._who, script],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # The shared connection's keeper has the streams, too, and lets go of them when the command inside has ended: nothing
            # here may wait for their end, as closing a buffered one does while it is read.
            bufsize=0,
        ) as process:
            if stdin:
                Thread(target=_feed, args=(stdin, process.stdin), daemon=True).start()
            readers = [
                Thread(target=_drain, args=(source, writer, failures, over), daemon=True)
                for source, writer in ((process.stdout, stdout), (process.stderr, stderr))
            ]
            for thread in (*readers, Thread(target=_wait, args=(process, over), daemon=True)):
                thread.start()
            try:
                if not over.wait(timeout):
                    raise TimeoutError
            except BaseException:
                process.kill()
                raise
            # What comes of closing the streams below is no failure.
            failed = failures[:1]
            if process.poll() is None:
                # Enough was heard.
                process.kill()
            else:
                for reader in readers:
                    reader.join()
                failed = failures[:1]
        if failed:
            raise failed[0]
        return process.returncode

    def terminal(self, script: str) -> int:
        """Run a shell script inside on this terminal; its exit code."""
        self._have_connection()
        return subprocess.run([*self._ssh(), "-tt", self._who, script], check=False).returncode

    @contextmanager
    def lines(self, script: str) -> Iterator[Iterator[bytes]]:
        """The lines that a shell script inside prints, which is ended afterwards.

        EnvctlError at the end of them if it failed, and at one of more than TOLD bytes.
        """
        self._have_connection()
        with subprocess.Popen(
            [*self._ssh(), "-T", self._who, script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield self._lines(process)
            finally:
                process.terminate()

    def _lines(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        assert process.stdout is not None
        while line := process.stdout.readline(TOLD):
            if len(line) == TOLD:
                raise EnvctlError(f"{self.unit}: a line of more than {TOLD >> 20} MB")
            yield line
        if process.wait():
            raise EnvctlError(f"{self.unit}: a command inside failed")

    # --- parts

    def _have_connection(self, patience: float | None = None) -> None:
        # One whose keeper is dead hinders nothing: ssh then makes a connection for itself.
        if not self.control.exists():
            self.connect(patience=patience)

    @property
    def control(self) -> Path:
        """The shared connection's socket: in a private folder, its path short enough for one."""
        name = hashlib.sha256(f"{self.key}\0{self.unit}".encode()).hexdigest()[:20]
        return sockets() / name

    @property
    def _who(self) -> str:
        return f"root@{self.address or 'nowhere.invalid'}"

    def _ssh(self, first: Sequence[str] = ()) -> Sequence[str]:
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ControlMaster": "no",
            "ControlPath": _file(self.control),
            "IdentitiesOnly": "yes",
            "IdentityFile": _file(self.key),
            # What is preferred otherwise costs an emulated processor a second.
            "KexAlgorithms": "^curve25519-sha256",
            "LogLevel": "ERROR",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": _file(self.known_hosts),
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "/dev/null", *first, *options]

    def _control(self, verb: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self._ssh(), "-O", verb, *more, self._who],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )


def _file(path: Path) -> str:
    """A file as an option of ssh names it, which splits at spaces and expands what begins with %."""
    return '"' + str(path).replace("%", "%%") + '"'


def sockets() -> Path:
    """The user's private folder for sockets."""
    candidates = (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp")  # noqa: S108 - closed to others below
    base = next(path for path in candidates if path and os.path.isdir(path))  # noqa: PTH112 - no more
    folder = Path(base) / f"envctl-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EnvctlError(
            f"{folder} is not private", hint="remove it: envctl makes it anew, for you alone"
        )
    return folder


def make_key(path: Path) -> str:
    """The public part of the private key at `path`, which is made if it is not there.

    EnvctlError if it is a link, another user's, or no key: one that came with the project would be known to others.
    """
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        for file in (partial, partial.with_name(partial.name + ".pub")):
            file.unlink(missing_ok=True)
        _keygen("-t", "ed25519", "-N", "", "-C", "envctl", "-f", str(partial))
        partial.with_name(partial.name + ".pub").unlink()
        partial.replace(path)
    status = path.lstat()
    is_private = (
        stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    )
    public = _PUBLIC.match(_keygen("-y", "-f", str(path))) if is_private else None
    if public is None:
        raise EnvctlError(
            f"{path} is not a private key of yours",
            hint="remove it, and take the environment down and up again: envctl makes one",
        )
    return public[1]


def _keygen(*argv: str) -> str:
    done = subprocess.run(
        ["ssh-keygen", "-q", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvctlError("ssh-keygen failed", details=done.stderr)
    return done.stdout


def _opened(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _feed(source: BinaryIO, target: IO[bytes] | None) -> None:
    assert target is not None
    read: Any = getattr(source, "read1", source.read)
    with suppress(OSError, ValueError):
        while data := read(_CHUNK):
            left = memoryview(data)
            while left:
                left = left[target.write(left) :]
    with suppress(OSError):
        target.close()


def _drain(
    source: IO[bytes] | None,
    writer: Callable[[bytes], object] | None,
    failures: list[BaseException],
    over: Event,
) -> None:
    assert source is not None
    read: Any = getattr(source, "read1", source.read)
    try:
        while data := read(_CHUNK):
            if writer is not None:
                writer(data)
    except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
        failures.append(error)
        over.set()


def _wait(process: subprocess.Popen[bytes], over: Event) -> None:
    process.wait()
    over.set()
