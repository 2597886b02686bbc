"""Runs commands in machines by SSH. Each machine has one shared connection, which also forwards ports."""

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

from envctl.backends.common.capped import MAX_OUTPUT, CappedBuffer
from envctl.backends.vagrant.ssh import connection_errors
from envctl.backends.vagrant.ssh.streamed_command import run_streaming
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.backends.vagrant.ssh import systemd_client

BOOT_TIMEOUT: Final = 300.0
"""How many seconds to wait for a machine that was just started."""
CONNECT_TIMEOUT: Final = 60.0
"""How many seconds to wait for any other machine."""
TIMEOUT: Final = 120.0
"""The timeout of envctl's own commands in a machine, in seconds."""
ANSWER_TIMEOUTS: Final = (10.0, 30.0)
"""How many seconds to wait for systemd's answer at the first and second try. A busy emulated machine takes long."""
_Answer = TypeVar("_Answer")
_MASTER_PID: Final = re.compile(rb"\(pid=(\d+)\)")


@dataclass(frozen=True, slots=True)
class SshMachine:
    """The SSH connection of a machine: its address, key and host key."""

    unit: str
    key: Path
    known_hosts: Path
    address: str

    # --- the connection

    def connect(self, *, patience: float | None = None) -> None:
        """Open the shared connection if needed. EnvctlError if the machine does not answer within `patience` seconds.

        If this process has already waited for the machine in vain, it does not wait again.
        """
        if not self.connected():
            self._connect(CONNECT_TIMEOUT if patience is None else patience, patience)

    def wait_for_boot(self) -> None:
        """Open the shared connection to a machine that was just started. EnvctlError as for `connect`."""
        self._connect(BOOT_TIMEOUT, None)

    def _connect(self, timeout: float, patience: float | None) -> None:
        start = time.monotonic() - connection_errors.time_waited(self.control, timeout)
        while True:
            self.control.unlink(missing_ok=True)
            reason = self._master(patience)
            if reason == "":
                connection_errors.forget(self.control)
                return
            error = connection_errors.permanent_error(self.unit, self.address, self.key, reason)
            waited = time.monotonic() - start
            if error is None and waited <= timeout:
                time.sleep(0.3)
                continue
            raise connection_errors.remember(
                self.control,
                error or connection_errors.temporary_error(self.unit, self.address, reason),
                waited,
            )

    def _master(self, patience: float | None = None) -> str:
        """Start the SSH master process in the background; "" or the reason for the failure."""
        import tempfile

        # ssh uses the first value that an option gets.
        first_options = (
            [] if patience is None else ["-o", f"ConnectTimeout={max(1, round(patience))}"]
        )

        with tempfile.TemporaryFile() as log:
            # Use a file instead of a pipe, because the master outlives this process.
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
                    # ConnectTimeout covers only the TCP connection and the banner, but a machine may become silent
                    # after that.
                    timeout=CONNECT_TIMEOUT if patience is None else max(2.0, 2 * patience),
                )
            except subprocess.TimeoutExpired:
                return "the SSH handshake timed out"
            log.seek(0)
            text = log.read().decode("utf-8", "replace").strip()
        return "" if done.returncode == 0 else text or "no answer"

    def connected(self) -> int:
        """The pid of the SSH master; 0 if it is not running."""
        done = self._control("check") if self.control.exists() else None
        if done is None or done.returncode:
            return 0
        match = _MASTER_PID.search(done.stderr + done.stdout)
        return int(match[1]) if match else 0

    def disconnect(self) -> None:
        """Close the shared connection and all its forwards."""
        connection_errors.forget(self.control)
        if self.control.exists():
            self._control("exit")
        for socket_file in self.control.parent.glob(f"{self.control.name}*"):
            socket_file.unlink(missing_ok=True)

    def forward(self, address: str, port: int, inside: int, *, cancel: bool = False) -> str:
        """Forward a port of this host to a port of the machine until the connection closes, or cancel the forward.

        Returns "" on success, otherwise the reason, for example that another program uses the port.
        """
        spec = f"{address}:{port}:127.0.0.1:{inside}"
        if cancel:
            self._control("cancel", "-L", spec)
            return ""
        done = self._control("forward", "-L", spec)
        reason = done.stderr.decode("utf-8", "replace").strip()
        return (reason or "ssh gives no reason") if done.returncode else ""

    def dial(self, target: str, timeout: float, *, patience: float | None = None) -> socket.socket:
        """A connection, through the shared one, to HOST:PORT as seen from the machine, or to a socket there.

        This starts no process in the machine. If the connection is refused there, it closes at once.
        """
        name = hashlib.sha256(target.encode()).hexdigest()[:8]
        socket_path = self.control.with_name(f"{self.control.name}.{name}")
        with suppress(OSError):
            return _opened(socket_path, timeout)
        self.connect(patience=patience)
        spec = f"{socket_path}:{target}"
        # The master may still have a forward whose socket on this host was removed. Cancel it.
        self._control("cancel", "-L", spec)
        socket_path.unlink(missing_ok=True)
        done = self._control("forward", "-L", spec)
        try:
            return _opened(socket_path, timeout)
        except OSError as error:
            reason = done.stderr.decode("utf-8", "replace")
            raise EnvctlError(
                f"{self.unit}: cannot forward its connection to {target}", details=reason
            ) from error

    def services(
        self, names: Sequence[str], *, patience: float | None = None
    ) -> Mapping[str, systemd_client.Service]:
        """The states of systemd services. EnvctlError if the machine does not answer within `patience` seconds."""
        return self._ask(lambda init: init.services(names), patience=patience)

    def main_process(self, service: str) -> int:
        """The main pid of a service in the machine; 0 if it is not running. EnvctlError if systemd does not answer."""
        return self._ask(lambda init: init.main_process(service))

    def _ask(
        self,
        question: Callable[[systemd_client.SystemdClient], _Answer],
        *,
        patience: float | None = None,
    ) -> _Answer:
        from envctl.backends.vagrant.ssh import systemd_client

        timeouts = ANSWER_TIMEOUTS if patience is None else (patience,)
        for timeout in timeouts:
            try:
                with self.dial(systemd_client.SOCKET, timeout, patience=patience) as connection:
                    return question(systemd_client.SystemdClient(connection))
            except TimeoutError:
                continue
            except OSError as error:
                raise EnvctlError(
                    f"{self.unit}: systemd in its machine does not answer: {error}"
                ) from error
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
        """Run a shell script in the machine as root, with `data` as input; its output, up to MAX_OUTPUT bytes.

        `patience` is how many seconds to wait for the machine. EnvctlError if the script fails or takes too long.
        """
        stdout, stderr = CappedBuffer(), CappedBuffer()
        self._have_connection(patience)
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        try:
            code = self.stream(script, stdin=source, stdout=stdout, stderr=stderr, timeout=timeout)
        except TimeoutError as error:
            raise EnvctlError(f"{self.unit} did not answer within {timeout:g} s") from error
        if stdout.too_much or stderr.too_much:
            raise EnvctlError(
                f"{self.unit}: a command in its machine printed more than {MAX_OUTPUT >> 20} MB"
            )
        if code:
            raise EnvctlError(f"{self.unit}: a command in its machine failed", details=stderr.text)
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
        """Run a shell script in the machine and pass on its streams; its exit code. See run_streaming."""
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
        """Run a shell script in the machine on this terminal; its exit code."""
        self._have_connection()
        return subprocess.run([*self._ssh(), "-tt", self._who, script], check=False).returncode

    @contextmanager
    def lines(self, script: str) -> Iterator[Iterator[bytes]]:
        """The lines that a shell script in the machine prints. The script is terminated on exit.

        EnvctlError after the last line if the script failed, and for a line of more than MAX_OUTPUT bytes.
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
        while line := process.stdout.readline(MAX_OUTPUT):
            if len(line) == MAX_OUTPUT:
                raise EnvctlError(f"{self.unit}: a line is longer than {MAX_OUTPUT >> 20} MB")
            yield line
        if process.wait():
            raise EnvctlError(f"{self.unit}: a command in its machine failed")

    # --- parts

    def _have_connection(self, patience: float | None = None) -> None:
        # If the master has died, ssh would open its own connection.
        if not self.control.exists():
            self.connect(patience=patience)

    @property
    def control(self) -> Path:
        """The master's socket, in a private folder, with a path that is short enough for a socket."""
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
            # The default key exchange takes a second on an emulated processor.
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
    """A path as the value of an ssh option. ssh splits values at spaces and expands `%`."""
    return '"' + str(path).replace("%", "%%") + '"'


def sockets() -> Path:
    """The user's private folder for sockets. EnvctlError if others can write to it."""
    candidates = (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp")  # noqa: S108 - made private below
    base = next(path for path in candidates if path and os.path.isdir(path))  # noqa: PTH112 - path may be None
    folder = Path(base) / f"envctl-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EnvctlError(
            f"{folder} is open to other users",
            hint="remove it: envctl creates it again, for you alone",
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
