"""The connection to the engine, and its errors in the user's terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from envctl.backends.docker.endpoint import Endpoint, find
from envctl.backends.docker.tunnel import Tunnel
from envctl.errors import EnvctlError, Place

if TYPE_CHECKING:
    from docker.api.client import APIClient

TIMEOUT = 60.0
"""Seconds the engine may take for an answer; stopping, pulling and building have time-outs of their own."""
STOP_TIMEOUT = 10
"""Seconds a process has to end after SIGTERM."""
OLDEST_API = "1.41"
"""Of engine 20.10."""
_CONNECTIONS = 64

_TAKEN = re.compile(
    r"(?:Bind for |listen (?:tcp|udp)[46]? |bind host port (?:for )?)\S*?:(\d+)[: /]"
)


class Engine:
    """One engine, connected to when first used. Safe to use from threads."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self._endpoint = endpoint
        self._client: APIClient | None = None
        self._tunnel: Tunnel | None = None
        self._guard = Lock()

    @property
    def endpoint(self) -> Endpoint:
        """Which engine this is."""
        if self._endpoint is None:
            self._endpoint = find(os.environ)
        return self._endpoint

    @property
    def api(self) -> APIClient:
        """docker-py's low-level client; its errors are to be caught with `doing`."""
        with self._guard:
            if self._client is None:
                self._client = _connect(self.endpoint, self._host())
            return self._client

    def close(self) -> None:
        """Close all connections; the engine may be used again after."""
        with self._guard:
            if self._client is not None:
                self._client.close()
                self._client = None
            if self._tunnel is not None:
                self._tunnel.close()
                self._tunnel = None

    def _host(self) -> str:
        """Where to connect to."""
        if not self.endpoint.host.startswith("ssh://"):
            return self.endpoint.host
        if self._tunnel is None:
            self._tunnel = Tunnel(self.endpoint.host)
        return self._tunnel.host

    @contextmanager
    def doing(self, what: str, *, where: Place | None = None) -> Iterator[APIClient]:
        """The client, for `what` ("start web"): whatever goes wrong comes out as EnvctlError."""
        import urllib3.exceptions
        from docker.errors import DockerException

        try:
            yield self.api
        except (DockerException, urllib3.exceptions.HTTPError, OSError) as error:
            raise translated(error, what, self.endpoint, where) from error


def missing(error: Exception) -> bool:
    """Whether an error of the engine says that something is not there."""
    return getattr(getattr(error, "response", None), "status_code", None) == 404


def conflict(error: Exception) -> bool:
    """Whether an error of the engine says that something is there already, or in the way."""
    return getattr(getattr(error, "response", None), "status_code", None) == 409


def translated(
    error: Exception, what: str, endpoint: Endpoint, where: Place | None = None
) -> EnvctlError:
    """The error as the user should see it, with the remedy as hint."""
    text = str(getattr(error, "explanation", "") or error)
    if getattr(error, "response", None) is None and (unreachable := _unreachable(text, endpoint)):
        return unreachable
    if "timed out" in text.lower() and getattr(error, "response", None) is None:
        return EnvctlError(
            f"cannot {what}: the Docker engine did not answer in time",
            details=plain(text),
            hint="it may be overloaded: look at `docker info`, then run the same command again",
            where=where,
        )
    text = plain(text)
    brief, hint = _known(text)
    first, _, rest = text.strip().partition("\n")
    return EnvctlError(
        f"cannot {what}: {brief or first}",
        details=text if brief else rest,
        hint=hint,
        where=where,
    )


def _known(text: str) -> tuple[str, str]:
    """What is wrong and what to do, for what goes wrong often."""
    if "no space left on device" in text:
        return "the engine's disk is full", "`docker system df` shows what fills it"
    if "bind source path does not exist" in text:
        return "a mounted path is not on the engine's host", "mounts need an engine on this machine"
    if text.startswith("Container ") and text.rstrip().endswith("is not running"):
        return "it has ended meanwhile", "`envctl logs` shows what it said last"
    if "executable file not found" in text or "no such file or directory: unknown" in text:
        return "its command is not in the image", "check `command`, and what the build installs"
    if text.startswith("its answer to "):
        return text, "`docker version` shows what answers there: Docker 20.10 or later is needed"
    if "unable to find user" in text or "no matching entries in passwd" in text:
        return "its user is not in the image", "check `user`, or leave it to the image"
    return "", ""


def _unreachable(text: str, endpoint: Endpoint) -> EnvctlError | None:
    if "Permission denied" in text or "PermissionError" in text:
        return EnvctlError(
            f"this user may not talk to the Docker engine at {endpoint}",
            hint='`sudo usermod -aG docker "$USER"` and log in again; or use a rootless engine',
        )
    stopped = ("FileNotFoundError", "No such file", "Connection refused", "ConnectionRefusedError")
    broken = ("Connection aborted", "Max retries exceeded", "NameResolution", "RemoteDisconnected")
    if any(sign in text for sign in (*stopped, *broken)):
        return EnvctlError(
            f"the Docker engine at {endpoint} does not answer",
            details=plain(text),
            hint=endpoint.remedy,
        )
    if "Invalid bind address" in text or "only supported on Windows" in text:
        return EnvctlError(
            f"{endpoint} is not an engine's address",
            details=plain(text),
            hint=f"write unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST: {endpoint.remedy}",
        )
    return None


def plain(text: str) -> str:
    """What an error of the connection says, without the names of the libraries' classes that it went through."""
    if "ConnectionPool(" not in text and "Connection aborted" not in text:
        return text
    if timed_out := re.search(r"(?:read |connect )?timeout=([\d.]+)", text):
        return f"no answer within {float(timed_out[1]):g} s"
    for pattern in (
        r"\[Errno -?\d+\] ([^'\")]+)",
        r"Error\(-?\d+, ['\"]([^'\"]+)",
        r"([^:('\"]+)['\")]*\Z",
    ):
        if found := re.search(pattern, text):
            return found[1].strip()
    return text


def taken_port(error: Exception) -> int | None:
    """The port of the host that an error of the engine says is in use."""
    text = str(getattr(error, "explanation", "") or error)
    found = _TAKEN.search(text) if "already" in text else None
    return int(found[1]) if found else None


def _connect(endpoint: Endpoint, host: str) -> APIClient:
    from docker.tls import TLSConfig

    from envctl.backends.docker.api import Client

    tls: TLSConfig | bool = False
    if endpoint.certificates is not None:
        folder = endpoint.certificates
        pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
        ca = folder / "ca.pem"
        tls = TLSConfig(
            client_cert=pair if (folder / "cert.pem").is_file() else None,
            ca_cert=str(ca) if ca.is_file() else None,
            verify=endpoint.verify,
        )
    return Client(
        base_url=host,
        version="auto",
        timeout=int(TIMEOUT),
        tls=tls,
        max_pool_size=_CONNECTIONS,
    )
