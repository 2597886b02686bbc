"""Asks a machine's systemd over D-Bus, like `systemctl`, but from this host, so that no process starts in the machine.

Source: https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, new_method_call

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.state import Status

SOCKET: Final = "/run/systemd/private"
"""systemd's private socket, for root only. It exists even without a message bus."""
_NAME: Final = "org.freedesktop.systemd1"
_ROOT: Final = "/org/freedesktop/systemd1"
_MANAGER: Final = DBusAddress(_ROOT, _NAME, f"{_NAME}.Manager")
_HELLO: Final = b"\0AUTH EXTERNAL " + b"0".hex().encode() + b"\r\nBEGIN\r\n"
"""Authenticates as root, because in the machine the peer is the SSH server, which runs as root.

Sent in one piece, like systemd's own clients do: data after a separate BEGIN would stay unread until more data comes
(https://github.com/systemd/systemd/pull/24875).
"""
_CHUNK: Final = 64 * 1024
_KILLED: Final = (2, 3)
"""CLD_KILLED and CLD_DUMPED: a signal ended the process."""


@dataclass(frozen=True, slots=True)
class Service:
    """The state of a systemd service: its pending job, if any, and how its process exited, if it did."""

    load: str
    active: str
    sub: str
    exit_how: int = 0
    exit_status: int = 0
    restarts: int = 0
    job: str = ""

    @property
    def state(self) -> tuple[Status, int | None]:
        """The status of its process, and its exit code if it has exited."""
        # Like a shell, add 128 if a signal ended the process.
        code = self.exit_status + (128 if self.exit_how in _KILLED else 0)
        if self.sub == "auto-restart":
            return Status.RESTARTING, code
        if self.sub == "start-post":
            # A container's client is running, but the container is not yet. Or a task's exit is being recorded.
            return Status.STARTING, None
        if self.sub == "stop-post":
            # The exit is being recorded, and it is not known whether the service restarts.
            return Status.UNKNOWN, None
        if self.active == "active" and self.sub == "exited":
            return Status.EXITED, 0
        if self.active in {"active", "activating", "deactivating", "reloading"}:
            return Status.RUNNING, None
        if self.load != "loaded" or not self.exit_how:
            return Status.CREATED, None
        return Status.EXITED, code

    @property
    def is_running(self) -> bool:
        """Whether its process is running."""
        return self.state[0] is Status.RUNNING

    @property
    def is_being_stopped(self) -> bool:
        """Whether its process is running, but systemd was asked to stop it."""
        return self.is_running and self.job == "stop"


class SystemdClient:
    """A D-Bus client of systemd. EnvctlError if it refuses a call, OSError if it does not answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._parser = Parser()
        self._serials = count(1)
        connection.sendall(_HELLO)
        greeting = b""
        while not greeting.endswith(b"\r\n"):
            greeting += self._received()
        if not greeting.startswith(b"OK "):
            raise EnvctlError(
                "systemd in the machine refuses the connection", details=repr(greeting)
            )

    def services(self, names: Sequence[str]) -> Mapping[str, Service]:
        """The states of services by name, including services that do not exist."""
        (listed,) = self._call(_MANAGER, "ListUnitsByNames", "as", (list(names),))
        return {
            name: self._service(path, Service(load, active, sub, job=job))
            for name, _, load, active, sub, _, path, _, job, _ in listed
        }

    def main_process(self, name: str) -> int:
        """The main pid of a service in the machine; 0 if it is not running."""
        (listed,) = self._call(_MANAGER, "ListUnitsByNames", "as", ([name],))
        return int(self._property(listed[0][6], "MainPID"))

    def _service(self, path: str, service: Service) -> Service:
        if service.is_running or service.load != "loaded":
            return service
        return replace(
            service,
            exit_how=self._property(path, "ExecMainCode"),
            exit_status=self._property(path, "ExecMainStatus"),
            restarts=self._property(path, "NRestarts"),
        )

    def _property(self, path: str, name: str) -> Any:
        where = DBusAddress(path, _NAME, "org.freedesktop.DBus.Properties")
        ((_, value),) = self._call(where, "Get", "ss", (f"{_NAME}.Service", name))
        return value

    def _call(self, where: DBusAddress, method: str, signature: str, body: tuple[Any, ...]) -> Any:
        serial = next(self._serials)
        self._connection.sendall(new_method_call(where, method, signature, body).serialise(serial))
        while True:
            answer = self._next()
            if answer.header.fields.get(HeaderFields.reply_serial) == serial:
                break
        if answer.header.message_type is MessageType.error:
            raise EnvctlError(f"systemd in the machine refuses {method}", details=str(answer.body))
        return answer.body

    def _next(self) -> Message:
        while (message := self._parser.get_next_message()) is None:
            self._parser.add_data(self._received())
        return message

    def _received(self) -> bytes:
        data = self._connection.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("the connection was closed")
        return data
