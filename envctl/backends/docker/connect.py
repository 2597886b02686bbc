"""Sockets to an engine, by its address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envctl.backends.docker.endpoint import Endpoint
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from ssl import SSLContext


@dataclass(frozen=True, slots=True)
class Address:
    """How to connect within a number of seconds, the Host header, and the prefix of all paths."""

    connect: Callable[[float], socket.socket]
    name: str
    prefix: str = ""


def parse(host: str, endpoint: Endpoint) -> Address:
    """Parse "unix:///PATH", "tcp://HOST:PORT" or "https://HOST:PORT". EnvctlError if the address is invalid."""
    try:
        parts = urlsplit(host)
        port = parts.port
    except ValueError:
        raise _no_address(endpoint) from None
    if parts.scheme == "unix":
        # unix://PATH is used, too.
        path = f"{parts.netloc}{parts.path}"
        return Address(lambda timeout: _connect_unix(path, timeout), "docker")
    if parts.scheme not in {"tcp", "http", "https"} or not parts.hostname or not port:
        raise _no_address(endpoint)
    name, uses_tls = parts.hostname, parts.scheme == "https" or endpoint.certificates is not None

    def connect(timeout: float) -> socket.socket:
        connected = socket.create_connection((name, port), timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not uses_tls:
            return connected
        try:
            return _context(endpoint).wrap_socket(connected, server_hostname=name)
        except BaseException:
            connected.close()
            raise

    return Address(connect, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"))


def _no_address(endpoint: Endpoint) -> EnvctlError:
    return EnvctlError(
        f"{endpoint} is not a valid engine address",
        hint=f"write unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST: {endpoint.remedy}",
    )


def _connect_unix(path: str, timeout: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(timeout)
        connected.connect(path)
    except BaseException:
        connected.close()
        raise
    return connected


def _context(endpoint: Endpoint) -> SSLContext:
    import ssl

    folder = endpoint.certificates
    authority = None if folder is None else folder / "ca.pem"
    known = authority is not None and authority.is_file()
    context = ssl.create_default_context(cafile=str(authority) if known else None)
    if not endpoint.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if folder is not None and (folder / "cert.pem").is_file():
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
