"""Calls as BuildKit makes them, over a pair of sockets: the far end is `h2` as a client."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events
import pytest

from envctl.backends.docker.buildkit_session.grpc import RefusedError, Server, StatusCode


class Caller:
    """The far end: calls methods, one after the other or several at once."""

    def __init__(self, connection):
        self._socket = connection
        self._socket.settimeout(10)
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()
        self.headers, self.data, self.ended = {}, {}, []

    def begin(self, path, data=b"", *, end=True, framed=True):
        """Call a method; the number of the call."""
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ])  # fmt: skip
        if framed:
            data = b"\0" + len(data).to_bytes(4, "big") + data
        self._http.send_data(stream, data, end_stream=end)
        self._socket.sendall(self._http.data_to_send())
        return stream

    def answer(self, stream):
        """The status of a call and its message, if it has one."""
        while stream not in self.ended:
            data = self._socket.recv(65536)
            assert data, "the connection has ended"
            for event in self._http.receive_data(data):
                self._heard(event)
            self._socket.sendall(self._http.data_to_send())
        return int(self.headers[stream]["grpc-status"]), self.data.get(stream, b"")[5:]

    def call(self, path, data=b"", **options):
        return self.answer(self.begin(path, data, **options))

    def _heard(self, event):
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self.headers.setdefault(event.stream_id, {}).update(event.headers)
        if isinstance(event, h2.events.DataReceived):
            self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if isinstance(event, h2.events.StreamEnded):
            self.ended.append(event.stream_id)


@contextmanager
def serving(methods, *, ahead=b""):
    before = threading.active_count()
    near, far = socket.socketpair()
    server = Server(near, methods, ahead=ahead)
    server.start()
    try:
        yield server, far
    finally:
        server.close()
        near.close()
        far.close()
        assert threading.active_count() == before


@pytest.fixture
def caller():
    methods = {
        "/a/Echo": lambda data: data,
        "/a/Large": lambda data: data * 500,
        "/a/Broken": broken,
    }
    with serving(methods) as (_, far):
        yield Caller(far)


def broken(_data):
    raise RuntimeError("canary-of-the-value")


def test_a_message_is_answered_with_a_message(caller):
    assert caller.call("/a/Echo", b"hello") == (0, b"hello")
    assert caller.call("/a/Echo", b"") == (0, b"")


def test_what_is_not_implemented_says_so_and_the_connection_lives_on(caller):
    assert caller.call("/moby.filesync.v1.FileSync/DiffCopy", end=False)[0] == 12
    assert caller.call("/a/Echo", b"still")[1] == b"still"


def test_an_answer_larger_than_the_windows_comes_whole(caller):
    assert caller.call("/a/Large", b"x" * 1000) == (0, b"x" * 500_000)


def test_an_answer_waits_for_the_far_end_to_take_more_and_others_do_not(caller):
    large = caller.begin("/a/Large", b"x" * 1000)
    assert caller.call("/a/Echo", b"short") == (0, b"short")
    assert caller.answer(large)[0] == 0


def test_what_fails_here_is_not_told_to_the_far_end(caller):
    status, _ = caller.call("/a/Broken")
    assert status == 13
    assert "canary" not in str(caller.headers)


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\0\0\0\0\5abc", b"\1\0\0\0\1a", b"x" * 40])
def test_a_message_that_is_not_whole_is_refused(caller, data):
    assert caller.call("/a/Echo", data, framed=False)[0] in {12, 13}
    assert caller.call("/a/Echo", b"next") == (0, b"next")


def test_a_status_and_its_text_reach_the_far_end():
    def method(_data):
        raise RefusedError(StatusCode.NOT_FOUND, "no secret “x”")

    with serving({"/a/Get": method}) as (_, far):
        caller = Caller(far)
        stream = caller.begin("/a/Get")
        assert caller.answer(stream)[0] == 5
        assert caller.headers[stream]["grpc-message"].startswith("no secret %E2")


def test_a_call_that_takes_its_time_holds_up_no_other():
    go_on = threading.Event()
    slow = {"/a/Slow": lambda _data: go_on.wait(10) and b"late", "/a/Alive": lambda _data: b"yes"}
    with serving(slow) as (_, far):
        caller = Caller(far)
        waiting = caller.begin("/a/Slow")
        assert caller.call("/a/Alive") == (0, b"yes")
        go_on.set()
        assert caller.answer(waiting) == (0, b"late")


def test_the_first_words_of_the_far_end_may_have_been_read_already():
    near, far = socket.socketpair()
    caller = Caller(far)
    stream = caller.begin("/a/Echo", b"early")
    server = Server(near, {"/a/Echo": lambda data: data}, ahead=near.recv(65536))
    server.start()
    assert caller.answer(stream) == (0, b"early")
    server.close()
    near.close()
    far.close()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100])
def test_it_ends_when_the_far_end_leaves_or_speaks_something_else(said):
    with serving({}) as (server, far):
        far.sendall(said)
        far.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 5
        while server.serves and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server.serves


def test_a_caller_that_sends_without_end_is_refused(caller):
    stream = caller.begin("/a/Echo", end=False)
    for _ in range(2000):
        if stream in caller.ended:
            break
        while caller._http.local_flow_control_window(stream) < 1000 and stream not in caller.ended:
            for event in caller._http.receive_data(caller._socket.recv(65536)):
                caller._heard(event)
        if stream not in caller.ended:
            caller._http.send_data(stream, b"x" * 1000)
            caller._socket.sendall(caller._http.data_to_send())
    assert caller.answer(stream)[0] == 8
