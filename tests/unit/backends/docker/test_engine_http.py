"""HTTP with an engine: bodies of each kind, what is no HTTP, connections that are kept, lost or taken over."""

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.docker.engine_connection import Patience
from envctl.backends.docker.engine_errors import EngineConnectionError, NoAnswerError
from envctl.backends.docker.engine_http import Transport

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def engine(*answers: bytes, pieces: int = 1 << 16) -> Iterator[tuple[Transport, list[bytes]]]:
    """One that answers each request in turn, byte for byte, and ends the connection after an empty one; what it was sent."""
    heard: list[bytes] = []
    left = list(answers)
    ends: list[socket.socket] = []

    def serve(end: socket.socket) -> None:
        # A client that has heard enough closes the connection, maybe in the middle of an answer.
        with end, suppress(OSError):
            while left:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    request += data
                heard.append(request)
                answer = left.pop(0)
                for start in range(0, len(answer), pieces):
                    end.sendall(answer[start : start + pieces])
                if left and not left[0]:
                    left.pop(0)
                    return
            end.recv(1)

    def connect(_timeout: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        threading.Thread(target=serve, args=(theirs,), daemon=True).start()
        return ours

    transport = Transport(connect, {"Host": "docker"})
    yield transport, heard
    transport.close()


def ask(transport, method="GET", *, body=None, seconds=5.0):
    return transport.request(
        method,
        "/x",
        headers={},
        body=body,
        patience=Patience.of(seconds),
        connect_timeout=1,
    )


@pytest.mark.parametrize("pieces", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (OK + b"transfer-encoding: Chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_body_is_read_to_its_end_and_the_connection_is_used_again(answer, content, pieces):
    with engine(answer, answer, pieces=pieces) as (transport, heard):
        first, second = ask(transport).content(), ask(transport).content()
    assert (first, second) == (content, content)
    assert len(heard) == 2


def test_a_body_without_a_length_ends_with_the_connection():
    with engine(OK + b"\r\nall of it", b"") as (transport, _):
        assert ask(transport).content() == b"all of it"


def test_an_answer_to_head_has_no_body_whatever_its_length_says():
    with engine(OK + b"Content-Length: 5\r\nX-Stat: y\r\n\r\n") as (transport, _):
        answer = ask(transport, "HEAD")
        assert (answer.content(), answer.headers["x-stat"]) == (b"", "y")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (OK + b"Content-Length: 9\r\n\r\nhell", "in the middle of an answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "in the middle of an answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nfive\r\n", "chunk without its size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", "chunk without its size"),
        (b"HTTP/1.1 200", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "the answer is not HTTP"),
        (b"x" * 400_000, "the answer is not HTTP"),
    ],
)
def test_an_answer_that_is_cut_off_or_none_is_reported_as_that(answer, told):
    with (
        engine(answer, b"") as (transport, _),
        pytest.raises(EngineConnectionError, match=told),
        ask(transport) as response,
    ):
        response.content()


def test_a_connection_that_the_engine_has_ended_is_not_used_again():
    answer = OK + b"Content-Length: 1\r\n\r\na"
    with engine(answer, b"", answer) as (transport, heard):
        assert ask(transport).content() == b"a"
        # It ends the connection, and that is noticed when the next one is wanted.
        deadline = time.monotonic() + 20
        while transport._idle[0].is_usable():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert ask(transport).content() == b"a"
    assert len(heard) == 2


def test_silence_has_an_end():
    with engine(OK) as (transport, _), pytest.raises(NoAnswerError, match=r"within 0\.1 s"):
        ask(transport, seconds=0.1)


def test_a_connection_that_is_taken_over_has_what_came_with_the_head():
    switched = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"
    with engine(switched + b"first") as (transport, _), ask(transport) as answer:
        connected, ahead = answer.take_over()
        ahead += b"" if ahead else connected.recv(100)
    assert ahead == b"first"


@pytest.mark.parametrize("abandoned", ["answer", "transport", "handed-over connection"])
def test_an_abandoned_connection_is_closed_even_where_it_is_part_of_a_cycle(abandoned):
    """Python warns of a socket that nobody closed, at whatever happens to run when it notices."""
    ours, theirs = socket.socketpair()
    theirs.sendall(OK + b"Content-Length: 1\r\n\r\n" + b"a" * (abandoned == "transport"))
    handed = [ours]
    transport = Transport(lambda _timeout: handed.pop(), {})
    del ours
    answer = ask(transport)
    if abandoned == "transport":
        assert answer.content() == b"a"
    if abandoned == "handed-over connection":
        answer.take_over()
    cycle: list[object] = [transport, answer]
    cycle.append(cycle)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        del transport, answer, cycle
        gc.collect()

    assert not warned
    with theirs:
        theirs.settimeout(5)
        assert theirs.recv(100).startswith(b"GET /x")
        assert theirs.recv(100) == b""


def test_nobody_may_write_a_further_header_by_a_path():
    with engine(OK) as (transport, heard), pytest.raises(ValueError, match="line"):
        transport.request(
            "GET",
            "/x HTTP/1.1\r\nX-Other: y",
            headers={},
            body=None,
            patience=Patience.of(1),
            connect_timeout=1,
        )
    assert heard == []


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 60))
def test_chunks_are_the_body_however_they_arrive(parts, pieces):
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with engine(OK + b"Transfer-Encoding: chunked\r\n\r\n" + body, pieces=pieces) as (transport, _):
        assert ask(transport).content() == b"".join(parts)


@given(st.lists(st.binary(max_size=20).filter(lambda one: b"\n" not in one), max_size=8))
def test_lines_are_told_apart_however_they_arrive(lines):
    body = b"\n".join(lines)
    head = OK + b"Content-Length: %d\r\n\r\n" % len(body)
    with engine(head + body, pieces=3) as (transport, _):
        told = list(ask(transport).lines())
    wanted = body.split(b"\n")
    assert told == (wanted if wanted[-1] else wanted[:-1])
