"""HTTP/1.1 for the engine's API: time limits for whole answers, streams, and connections that the engine hands over.

Our own code, because libraries take too long to import for commands that take a tenth of a second: requests takes 110
ms of CPU time, `http.client` 30 (it imports the e-mail parser). See docs/decisions/engine-http.md.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Final, Self

from envctl.backends.docker.engine_connection import Connection, Patience
from envctl.backends.docker.engine_errors import EngineConnectionError
from envctl.errors import EnvctlError

_LARGEST: Final = 256 * 1024 * 1024
"""The largest answer that is read as a whole, in bytes."""
_CHUNK: Final = 64 * 1024
_IDLE: Final = 64
"""How many unused connections are kept."""
_SWITCHED: Final = 101
_WITHOUT_BODY: Final = (204, 304)


class Response:
    """An answer whose header has arrived. Iterate over its body, or read it all; close it unless read to its end."""

    def __init__(
        self,
        connection: Connection,
        head: tuple[int, str, Mapping[str, str]],
        *,
        has_body: bool,
        release: Callable[[Connection], None],
    ) -> None:
        self.status, self.reason, self.headers = head
        self._connection: Connection | None = connection
        self._release = release
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length", "")
        self._left: float = 0 if self._chunked else int(length) if length.isdecimal() else inf
        if not has_body or self.status in _WITHOUT_BODY or not (self._chunked or self._left):
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self.read()
        if not data:
            raise StopIteration
        return data

    def read(self, size: int = _CHUNK) -> bytes:
        """Read the next part of the body, at least a byte; empty at its end."""
        if self._connection is None:
            return b""
        if self._chunked and not self._left:
            self._left = _chunk_size(self._connection.read_until(b"\r\n"))
            if not self._left:
                while self._connection.read_until(b"\r\n"):
                    pass
                self._finish()
                return b""
        data = self._connection.read(int(min(size, self._left)))
        if not data:
            return self._ended()
        self._left -= len(data)
        if not self._left:
            if self._chunked:
                self._connection.read_until(b"\r\n")
            else:
                self._finish()
        return data

    def read_at_least(self, size: int) -> bytes:
        """Read this much or slightly more; less at the end."""
        data = b""
        while len(data) < size and (part := self.read()):
            data += part
        return data

    def content(self) -> bytes:
        """The rest of the body. EnvctlError if it is too large."""
        parts, size = [], 0
        for part in self:
            size += len(part)
            if size > _LARGEST:
                self.close()
                raise EnvctlError(
                    f"the Docker engine sent an answer of more than {_LARGEST >> 20} MB"
                )
            parts.append(part)
        return b"".join(parts)

    def lines(self) -> Iterator[bytes]:
        """The lines of the body, each as soon as it is complete."""
        partial = b""
        for data in self:
            *lines, partial = (partial + data).split(b"\n")
            if len(partial) > _LARGEST:
                self.close()
                raise EnvctlError("the Docker engine sent a line that is too long")
            yield from lines
        if partial:
            yield partial

    def be_patient(self, patience: Patience) -> None:
        """Set how long to wait for the rest of the body."""
        if self._connection is not None:
            self._connection.patience = patience

    def take_over(self) -> tuple[socket.socket, bytes]:
        """The socket, and what the engine sent on it right after the header. Keep this answer as long as the socket is used."""
        connection = self._connection
        if connection is None:
            raise EngineConnectionError(
                "the engine closed the connection instead of handing it over"
            )
        return connection.hand_over()

    def cut(self) -> None:
        """Interrupt a read in another thread. A complete answer is left alone."""
        if (connection := self._connection) is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Discard the rest."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ended(self) -> bytes:
        """Handle the end of the connection, which is also the end of a body without a length."""
        self.close()
        if self._left != inf:
            raise EngineConnectionError(
                "the engine closed the connection in the middle of an answer"
            )
        return b""

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._release(connection)


class Transport:
    """Sends requests to one engine; safe to use from threads. `connect` opens a connection within a number of seconds."""

    def __init__(
        self, connect: Callable[[float], socket.socket], headers: Mapping[str, str]
    ) -> None:
        self._connect = connect
        self._headers = headers
        self._idle: list[Connection] = []

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        patience: Patience,
        connect_timeout: float,
    ) -> Response:
        """Send a request; return the answer as soon as its header has been received."""
        connection = self._connection(min(connect_timeout, patience.total))
        connection.patience = patience
        try:
            return self._exchange(connection, method, target, headers=headers, body=body)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close unused connections."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(
        self,
        connection: Connection,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
    ) -> Response:
        framing: dict[str, str] = {}
        if isinstance(body, bytes):
            framing["Content-Length"] = str(len(body))
        elif body is not None:
            framing["Transfer-Encoding"] = "chunked"
        elif method in ("POST", "PUT"):
            framing["Content-Length"] = "0"
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{k}: {v}" for k, v in {**self._headers, **headers, **framing}.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header must not continue on another line")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if isinstance(body, bytes):
            connection.write(head + body)
        else:
            connection.write(head)
            if body is not None:
                self._send_chunks(connection, body)
        status, reason, fields = _read_head(connection)
        has_body = method != "HEAD"
        return Response(
            connection, (status, reason, fields), has_body=has_body, release=self._release
        )

    @staticmethod
    def _send_chunks(connection: Connection, body: Iterable[bytes]) -> None:
        try:
            for chunk in body:
                if chunk:
                    connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            connection.write(b"0\r\n\r\n")
        except EngineConnectionError as error:
            # An engine that rejects the rest of a request may have sent the reason already.
            connection.patience = Patience.of(1.0)
            if not isinstance(error.__cause__, BrokenPipeError | ConnectionResetError):
                raise

    def _connection(self, timeout: float) -> Connection:
        while self._idle:
            with suppress(IndexError):
                connection = self._idle.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        try:
            return Connection(self._connect(timeout))
        except TimeoutError as error:
            raise EngineConnectionError(f"no connection within {timeout:g} s") from error
        except OSError as error:
            raise EngineConnectionError.because(error) from error

    def _release(self, connection: Connection) -> None:
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()


def _read_head(connection: Connection) -> tuple[int, str, Mapping[str, str]]:
    """Status, reason and headers (names in lower case). EngineConnectionError if it is not HTTP."""
    while True:
        first, *lines = connection.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, remainder = first.partition(" ")
        code, _, reason = remainder.partition(" ")
        if not version.startswith("HTTP/1.") or not (code.isdecimal() and len(code) == 3):
            raise EngineConnectionError("the answer is not HTTP")
        status = int(code)
        if status >= 200 or status == _SWITCHED:
            break
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    if version == "HTTP/1.0":
        headers["connection"] = "close"
    return status, reason, headers


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", digits):
        raise EngineConnectionError("the engine sent a chunk without its size")
    return int(digits, 16)
