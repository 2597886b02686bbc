"""A client of docker-py for tests, whose connections close themselves when they are abandoned.

Those of docker-py do not. Python then warns of an unclosed socket in whatever test runs at that moment.
"""

from __future__ import annotations

import weakref

import docker
from docker.transport import unixconn


class _Connection(unixconn.UnixHTTPConnection):
    def connect(self) -> None:
        super().connect()
        assert self.sock is not None
        weakref.finalize(self, self.sock.close).atexit = False


def docker_client(timeout: int = 300) -> docker.DockerClient:
    """Return a client of the local engine; the caller closes it. `timeout` is in seconds."""
    # docker-py looks its class up by this name for each new connection.
    vars(unixconn)["UnixHTTPConnection"] = _Connection
    return docker.from_env(timeout=timeout)
