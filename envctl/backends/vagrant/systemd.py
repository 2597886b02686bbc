"""A machine's init, asked over D-Bus as `systemctl` asks it, though from outside: no process starts inside.

Source: https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, new_method_call

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.state import Status

SOCKET: Final = "/run/systemd/private"
"""Where it listens, for root alone; there is one also where no message bus runs."""
_NAME: Final = "org.freedesktop.systemd1"
_ROOT: Final = "/org/freedesktop/systemd1"
_MANAGER: Final = DBusAddress(_ROOT, _NAME, f"{_NAME}.Manager")
_HELLO: Final = b"\0AUTH EXTERNAL " + b"0".hex().encode() + b"\r\nBEGIN\r\n"
"""That root speaks, which it sees is true: inside it is the SSH server that does.

All in one, as its own clients do: what comes after a lone BEGIN is left lying until more comes
(https://github.com/systemd/systemd/pull/24875).
"""
_CHUNK: Final = 64 * 1024
_KILLED: Final = (2, 3)
"""CLD_KILLED and CLD_DUMPED: a process ended by a signal."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service of the init does; of one whose process has ended also how."""

    load: str
    active: str
    sub: str
    exit_how: int = 0
    exit_status: int = 0
    restarts: int = 0

    @property
    def state(self) -> tuple[Status, int | None]:
        """What its process does, and its exit code if it has ended."""
        # Of a process ended by a signal a shell says so.
        code = self.exit_status + (128 if self.exit_how in _KILLED else 0)
        if self.sub == "auto-restart":
            return Status.RESTARTING, code
        if self.sub == "start-post":
            # A container's: its client runs and it is yet to. A task's: it is being noted that it has completed.
            return Status.STARTING, None
        if self.sub == "stop-post":
            # How it ended is being noted, and whether it is started again is not decided.
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
        """Whether its process runs."""
        return self.state[0] is Status.RUNNING


class SystemdClient:
    """A conversation with it. EnvctlError if it does not answer as expected, OSError if not at all."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._parser = Parser()
        self._serials = count(1)
        connection.sendall(_HELLO)
        greeting = b""
        while not greeting.endswith(b"\r\n"):
            greeting += self._received()
        if not greeting.startswith(b"OK "):
            raise EnvctlError("the machine's init does not let us in", details=repr(greeting))

    def services(self, names: Sequence[str]) -> Mapping[str, Service]:
        """The services of these names, whether there are such or not."""
        (listed,) = self._call(_MANAGER, "ListUnitsByNames", "as", (list(names),))
        return {
            name: self._service(path, load, active, sub)
            for name, _, load, active, sub, _, path, *_ in listed
        }

    def main_process(self, name: str) -> int:
        """The process id, inside, of a service that runs; 0 if it does not."""
        (listed,) = self._call(_MANAGER, "ListUnitsByNames", "as", ([name],))
        return int(self._property(listed[0][6], "MainPID"))

    def _service(self, path: str, load: str, active: str, sub: str) -> Service:
        service = Service(load, active, sub)
        if service.is_running or load != "loaded":
            return service
        return Service(
            load,
            active,
            sub,
            self._property(path, "ExecMainCode"),
            self._property(path, "ExecMainStatus"),
            self._property(path, "NRestarts"),
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
            raise EnvctlError(f"the machine's init refuses {method}", details=str(answer.body))
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
