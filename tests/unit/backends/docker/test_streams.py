"""How commands inside end."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from envctl.backends.docker import streams
from envctl.backends.docker.engine_connection import Connection
from envctl.backends.docker.engine_http import Response
from envctl.errors import EnvctlError


def ended(*answers, container=True, deadline=None):
    """What is made of the engine's answers, the last of which it repeats."""
    said = list(answers)
    api = SimpleNamespace(
        exec_inspect=lambda _: said.pop(0) if len(said) > 1 else said[0],
        inspect_container=lambda _: {"State": {"Running": container}},
    )
    return streams._ended(api, "id", "container", deadline)["ExitCode"]


RUNNING = {"Running": True, "ExitCode": None}


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(streams, "_SETTLE", 0.02)


@pytest.mark.slow
def test_a_command_that_outlives_its_streams_is_waited_for():
    assert ended(*[RUNNING] * 6, {"Running": False, "ExitCode": 4}) == 4


def test_one_that_never_ends_has_its_time_out():
    with pytest.raises(TimeoutError):
        ended(RUNNING, deadline=time.monotonic() + 0.05)


@pytest.mark.parametrize("answer", [RUNNING, {"Running": False, "ExitCode": None}])
def test_where_the_engine_does_not_know_that_is_not_success(answer):
    with pytest.raises(EnvctlError, match="does not report how"):
        ended(answer, container=False)


def arrived(data: bytes) -> bytes:
    """What arrives of these data where another thread changes how long the socket waits, as whoever reads does."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    connection = streams.ExecStream(
        Response(Connection(ours), (200, "", {}), has_body=True, release=lambda _: None)
    )
    received = bytearray()

    def feed() -> None:
        streams._feed(connection, io.BytesIO(data))

    def take() -> None:
        while piece := theirs.recv(3000):
            received.extend(piece)

    with ours, theirs:
        threads = [threading.Thread(target=feed), threading.Thread(target=take)]
        for thread in threads:
            thread.start()
        while threads[0].is_alive():
            ours.settimeout(60)
            ours.settimeout(None)
        for thread in threads:
            thread.join()
        connection.close()
    return bytes(received)


@pytest.mark.slow
def test_input_arrives_whole_while_another_thread_waits_for_output():
    data = os.urandom(4 << 20)
    for _ in range(40):
        assert arrived(data) == data
