"""Whether a port of this host is free, and which process has it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from envctl.host.port_use import is_free, listener


def test_a_port_at_which_something_listens_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert not is_free("0.0.0.0", port)
    assert is_free("127.0.0.1", port)


def test_a_connection_that_has_ended_leaves_its_port_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            # Whoever closes first keeps the connection for a minute: here that is the server.
            server.accept()[0].close()
    assert is_free("127.0.0.1", port)


def test_udp_is_another_matter_than_tcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port, "udp")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who listens")
def test_the_process_that_listens_is_reported_with_its_folder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener(port).endswith(f"(process {os.getpid()}, in {Path.cwd()})")
    assert listener(port) == ""
