"""Machines spoken to over SSH: one shared connection each, which also carries their ports."""

from __future__ import annotations

import hashlib
import io
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from envctl.backends.common.capped import TOLD, Kept
from envctl.backends.vagrant import unreachable
from envctl.backends.vagrant.ssh_streams import run_streaming
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

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
        return run_streaming(
            [*self._ssh(), "-T", self._who, script],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            timeout=timeout,
            over=over,
        )

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


def _opened(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection
