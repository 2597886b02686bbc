"""A session: a connection over which BuildKit asks envctl for what a build needs, for as long as that build runs."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from envctl.backends.docker.api import Client
from envctl.backends.docker.engine_connection import Patience
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.registries import Registries
from envctl.errors import EnvctlError

TIMEOUT: Final = 15.0
"""Seconds until the engine has to have taken the connection over."""
_SWITCHED: Final = 101
_NO_SESSION: Final = "the engine takes no sessions: it builds without BuildKit"


class NoSessionError(EnvctlError):
    """The engine takes no session: it has no BuildKit."""


class BuildSession:
    """Open while it is entered; its `id` is what a build is started with. NoSessionError if the engine has none."""

    def __init__(
        self, api: Client, *, registries: Registries, values: Mapping[str, bytes] | None = None
    ) -> None:
        from envctl.backends.docker.buildkit_session.services import BuildServices

        self.id = secrets.token_hex(16)
        self._api = api
        self._registries = registries
        self._answers = BuildServices(registries, values or {})

    @property
    def asked_registries(self) -> Sequence[str]:
        """The registries whose credentials the builder asked for, in order."""
        return tuple(self._answers.asked_registries)

    @property
    def lost(self) -> bool:
        """Whether the engine has let go of it."""
        return not self._server.serves

    def __enter__(self) -> Self:
        # Imported by builds alone: whatever builds nothing needs no HTTP/2.
        from envctl.backends.docker.buildkit_session.grpc import Server

        self._answer = self._asked_for()
        try:
            connection, ahead = self._connection()
            self._server = Server(connection, self._answers.methods, ahead=ahead)
            self._server.start()
        except BaseException:
            self._answer.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A helper that still thinks about an answer would be waited for.
        self._registries.close()
        self._server.close()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._answer.close()

    def _asked_for(self) -> Response:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "h2c",
            "X-Docker-Expose-Session-Uuid": self.id,
            "X-Docker-Expose-Session-Name": "envctl",
        }
        try:
            return self._api.request("POST", "/session", headers=headers, timeout=TIMEOUT)
        except ApiError as error:
            raise NoSessionError(_NO_SESSION) from error

    def _connection(self) -> tuple[socket.socket, bytes]:
        """The connection itself, and the far end's first words."""
        if self._answer.status != _SWITCHED:
            raise NoSessionError(_NO_SESSION)
        # The engine speaks first.
        self._answer.be_patient(Patience.of(TIMEOUT))
        first = self._answer.read()
        self._socket, ahead = self._answer.take_over()
        return self._socket, first + ahead
