"""The engine. Connects to it on first use, and translates its errors into messages that help the user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from envctl.backends.docker.endpoint import Endpoint, find
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import (
    EngineConnectionError,
    EngineError,
    NoAnswerError,
)
from envctl.backends.docker.engine_http import Transport
from envctl.errors import EnvctlError, Place

if TYPE_CHECKING:
    from envctl.backends.docker.tunnel import Tunnel

STOP_TIMEOUT = 10
"""How many seconds a process gets to end after SIGTERM."""

_PORT_IN_USE = re.compile(
    r"(?:Bind for |listen (?:tcp|udp)[46]? |bind host port (?:for )?)\S*?:(\d+)[: /]"
)


class Engine:
    """One engine; its `api` is connected on first use. Safe to use from threads."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self._endpoint = endpoint
        self._api: EngineApi | None = None
        self._tunnel: Tunnel | None = None
        self._guard = Lock()

    @property
    def endpoint(self) -> Endpoint:
        """The engine's address."""
        if self._endpoint is None:
            self._endpoint = find(os.environ)
        return self._endpoint

    @property
    def api(self) -> EngineApi:
        """The engine's API. Use `doing` to translate its errors."""
        with self._guard:
            if self._api is None:
                self._api = make_api(self.endpoint, self._host())
            return self._api

    def close(self) -> None:
        """Close all connections. The engine can be used again afterwards."""
        with self._guard:
            if self._api is not None:
                self._api.close()
                self._api = None
            if self._tunnel is not None:
                self._tunnel.close()
                self._tunnel = None

    def _host(self) -> str:
        """The address to connect to."""
        if not self.endpoint.host.startswith("ssh://"):
            return self.endpoint.host
        if self._tunnel is None:
            from envctl.backends.docker.tunnel import Tunnel

            self._tunnel = Tunnel(self.endpoint.host)
        return self._tunnel.host

    @contextmanager
    def doing(self, what: str, *, where: Place | None = None) -> Iterator[EngineApi]:
        """The API for a task such as "start web". Every failure becomes an EnvctlError that names the task."""
        try:
            yield self.api
        except (EngineError, OSError) as error:
            raise translated(error, what, self.endpoint, where) from error


def translated(
    error: Exception, what: str, endpoint: Endpoint, where: Place | None = None
) -> EnvctlError:
    """The error as the user sees it, with a hint."""
    if isinstance(error, EngineConnectionError):
        return _unreachable(error, endpoint)
    if isinstance(error, NoAnswerError):
        return EnvctlError(
            f"cannot {what}: the Docker engine did not answer in time",
            details=str(error),
            hint="it may be overloaded: look at `docker info`, then run the same command again",
            where=where,
        )
    text = str(error)
    brief, hint = _known(text)
    first, _, remainder = text.strip().partition("\n")
    return EnvctlError(
        f"cannot {what}: {brief or first}",
        details=text if brief else remainder,
        hint=hint,
        where=where,
    )


def _known(text: str) -> tuple[str, str]:
    """The problem and the remedy, for common failures."""
    if "no space left on device" in text:
        return "the engine's disk is full", "`docker system df` shows what fills it"
    if "bind source path does not exist" in text:
        return (
            "a mounted path does not exist on the engine's host",
            "mounts need an engine on this machine",
        )
    if text.startswith("Container ") and text.rstrip().endswith("is not running"):
        return "it has exited", "`envctl logs` shows its last output"
    if "executable file not found" in text or "no such file or directory: unknown" in text:
        return "its command is not in the image", "check `command`, and what the build installs"
    if text.startswith("unexpected answer to "):
        return text, "`docker version` shows what answers there: Docker 20.10 or later is needed"
    if "unable to find user" in text or "no matching entries in passwd" in text:
        return "its user is not in the image", "check `user`, or leave it out to use the image's"
    return "", ""


def _unreachable(error: EngineConnectionError, endpoint: Endpoint) -> EnvctlError:
    if error.denied:
        return EnvctlError(
            f"this user has no access to the Docker engine at {endpoint}",
            hint='`sudo usermod -aG docker "$USER"` and log in again; or use a rootless engine',
        )
    return EnvctlError(
        f"the Docker engine at {endpoint} does not answer",
        details=str(error),
        hint=endpoint.remedy,
    )


def version_numbers(text: str) -> tuple[int, ...]:
    """An API version ("1.41") as numbers that can be compared; (0,) if it is invalid."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else (0,)


def taken_port(error: Exception) -> int | None:
    """The port of this host that an error of the engine reports as in use."""
    text = str(error)
    match = _PORT_IN_USE.search(text) if "already" in text else None
    return int(match[1]) if match else None


def make_api(endpoint: Endpoint, host: str) -> EngineApi:
    """The API of the engine at this address ("unix:///PATH", "tcp://HOST:PORT"). EnvctlError if the address is invalid."""
    from envctl.backends.docker.connect import parse

    address = parse(host, endpoint)
    headers = {**endpoint.headers, "Host": address.name, "User-Agent": "envctl"}
    return EngineApi(Transport(address.connect, headers), prefix=address.prefix)
