"""A gRPC server on an existing connection: HTTP/2 by `h2`, with one message per request and answer.

The engine is the client, although envctl opened the connection: the engine hands it over.
"""

from __future__ import annotations

import queue
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from enum import IntEnum
from typing import Final, TypeAlias
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from envctl.lazy_dataclass import dataclass

LARGEST: Final = 1024 * 1024
"""The largest message that is accepted, in bytes."""
PATIENCE: Final = 10.0
"""How many seconds a call may take to end after it was told to."""
_CHUNK: Final = 64 * 1024
_HEAD: Final = 5
"""The size of a message's header in bytes: a compression flag and the length."""
_LATER: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class StatusCode(IntEnum):
    """The result of a call, by gRPC's numbers."""

    OK = 0
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13


class RefusedError(Exception):
    """Raised to answer a call with a status instead of a message; the engine gets the text."""

    def __init__(self, status: StatusCode, text: str = "") -> None:
        super().__init__(text)
        self.status = status


Method: TypeAlias = Callable[[bytes], bytes]
"""Answers a message with a message, in a separate thread; may raise RefusedError."""


@dataclass(slots=True)
class _Call:
    """A call that is still being received, or whose answer has not been sent yet."""

    method: Method
    data: bytearray = field(default_factory=bytearray)
    left: bytes | None = None


class Server:
    """Serves one connection, from `start` until `close` or until the engine disconnects."""

    def __init__(
        self, connection: socket.socket, methods: Mapping[str, Method], *, ahead: bytes = b""
    ) -> None:
        self._connection = connection
        self._methods = methods
        self._ahead = ahead
        self._http = H2Connection(H2Configuration(client_side=False))
        self._calls: dict[int, _Call] = {}
        self._answers: queue.SimpleQueue[tuple[int, bytes | RefusedError]] = queue.SimpleQueue()
        self._unsent = b""
        self._woken, self._waker = socket.socketpair()
        self._over = threading.Event()
        self._workers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, name="grpc", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._connection.setblocking(False)
        self._thread.start()

    @property
    def serves(self) -> bool:
        """Whether the engine is still connected."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop serving and end all threads. The caller closes the connection."""
        self._over.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        for worker in self._workers:
            worker.join(PATIENCE)
        self._woken.close()
        self._waker.close()

    # --- the connection's thread

    def _serve(self) -> None:
        # If the connection is lost, the engine reports it to the build that needs it.
        with suppress(OSError, H2Error), selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            self._http.initiate_connection()
            goes_on = self._take(self._ahead)
            while goes_on and not self._over.is_set():
                self._finish_calls()
                writes = selectors.EVENT_WRITE if self._send() else 0
                selector.modify(self._connection, selectors.EVENT_READ | writes)
                selector.select()
                goes_on = self._receive()

    def _receive(self) -> bool:
        """Process received data; whether the engine is still connected."""
        self._woken.setblocking(False)
        with suppress(BlockingIOError):
            self._woken.recv(_CHUNK)
        while not self._over.is_set():
            try:
                data = self._connection.recv(_CHUNK)
            except _LATER:
                return True
            if not data or not self._take(data):
                return False
        return False

    def _take(self, data: bytes) -> bool:
        try:
            events = self._http.receive_data(data)
        except H2Error:
            self._send()
            raise
        # A list, so that all events are handled even if the first one ends the connection.
        return sum(not self._heard(event) for event in events) == 0

    def _heard(self, event: Event) -> bool:
        """Handle an event; whether the connection continues."""
        match event:
            case RequestReceived():
                headers = {_text(name): _text(value) for name, value in event.headers or ()}
                self._called(event.stream_id, headers.get(":path", ""))
            case DataReceived():
                self._more(event)
            case StreamEnded():
                self._complete(event.stream_id)
            case StreamReset():
                self._calls.pop(event.stream_id, None)
        return not isinstance(event, ConnectionTerminated)

    def _called(self, stream: int, path: str) -> None:
        method = self._methods.get(path)
        if method is None:
            self._refuse(stream, RefusedError(StatusCode.UNIMPLEMENTED))
        else:
            self._calls[stream] = _Call(method)

    def _more(self, event: DataReceived) -> None:
        with suppress(H2Error):
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        call.data += event.data or b""
        if len(call.data) > LARGEST + _HEAD:
            self._refuse(event.stream_id, RefusedError(StatusCode.RESOURCE_EXHAUSTED))

    def _complete(self, stream: int) -> None:
        call = self._calls.get(stream)
        if call is None:
            return
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        worker = threading.Thread(target=self._work, args=(stream, call), daemon=True)
        self._workers.append(worker)
        worker.start()

    def _finish_calls(self) -> None:
        """Start the answers that are ready, and send as much of all answers as flow control allows."""
        while not self._answers.empty():
            stream, answer = self._answers.get()
            call = self._calls.get(stream)
            if call is None:
                continue
            if isinstance(answer, RefusedError):
                self._refuse(stream, answer)
                continue
            self._http.send_headers(stream, _OPENING)
            call.left = b"\0" + len(answer).to_bytes(4, "big") + answer
        for stream in [number for number, call in self._calls.items() if call.left is not None]:
            self._continue(stream, self._calls[stream])

    def _continue(self, stream: int, call: _Call) -> None:
        left = call.left or b""
        while left:
            window = self._http.local_flow_control_window(stream)
            count = min(window, self._http.max_outbound_frame_size, len(left))
            if count <= 0:
                call.left = left
                return
            self._http.send_data(stream, left[:count])
            left = left[count:]
        self._http.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        del self._calls[stream]

    def _refuse(self, stream: int, why: RefusedError) -> None:
        self._calls.pop(stream, None)
        text = [("grpc-message", quote(str(why), safe=" "))] if str(why) else []
        status = ("grpc-status", str(int(why.status)))
        with suppress(H2Error):
            self._http.send_headers(stream, [*_OPENING, status, *text], end_stream=True)

    def _send(self) -> bool:
        """Send pending data; whether some is left."""
        self._unsent += self._http.data_to_send()
        with suppress(*_LATER):
            while self._unsent:
                self._unsent = self._unsent[self._connection.send(self._unsent) :]
        return bool(self._unsent)

    # --- the calls' threads

    def _work(self, stream: int, call: _Call) -> None:
        answer: bytes | RefusedError
        try:
            answer = call.method(_message(bytes(call.data)))
        except RefusedError as error:
            answer = error
        except Exception:  # noqa: BLE001 - hide the error from the engine, which would log it
            answer = RefusedError(StatusCode.INTERNAL, "envctl could not answer")
        self._answers.put((stream, answer))
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"w")


_OPENING: Final[Sequence[tuple[str, str]]] = (
    (":status", "200"),
    ("content-type", "application/grpc"),
)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _message(data: bytes) -> bytes:
    """The single message of a call. RefusedError if it is compressed or incomplete."""
    if len(data) < _HEAD or len(data) != _HEAD + int.from_bytes(data[1:_HEAD], "big"):
        raise RefusedError(StatusCode.INTERNAL, "a message is incomplete")
    if data[0]:
        raise RefusedError(StatusCode.UNIMPLEMENTED, "messages must not be compressed")
    return data[_HEAD:]
