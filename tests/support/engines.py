"""Engines that misbehave, on loopback: each answers as a test says."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from envctl.backends.docker.endpoint import Endpoint

VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24", "Os": "linux"}
Says: TypeAlias = Callable[[http.server.BaseHTTPRequestHandler, str], None]


def answer(handler: http.server.BaseHTTPRequestHandler, data: Any, *, status: int = 200) -> None:
    """Answer with JSON, or with bytes as they are."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def dribble(handler: http.server.BaseHTTPRequestHandler, *, head: bool, status: int = 200) -> None:
    """Answer with a byte now and then, without an end: the head, too, or the body alone."""
    if head:
        while True:
            handler.wfile.write(b"H")
            time.sleep(0.05)
    handler.send_response(status)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def freeze(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Say nothing more until whoever asks hangs up."""
    handler.connection.recv(1)


@contextmanager
def engine(says: Says | Mapping[str, Any]) -> Iterator[Endpoint]:
    """Its address. `says` answers what is asked by path, without the version; `_ping` and `version` it need not know."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            path = self.path.partition("?")[0].removeprefix("/v1.41")
            try:
                if callable(says):
                    says(self, path)
                elif path in says:
                    answer(self, says[path])
                else:
                    answer(self, VERSION if path == "/version" else {})
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = do  # noqa: N815 - as http.server has it

        def log_message(self, *_arguments: object) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Endpoint(f"tcp://127.0.0.1:{server.server_port}", variable="DOCKER_HOST")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
