"""A session: a connection over which BuildKit asks envctl for credentials and secrets while a build runs."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_connection import Patience
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.registries import Registries
from envctl.errors import EnvctlError

TIMEOUT: Final = 15.0
"""How many seconds the engine may take to take over the connection."""
_SWITCHED: Final = 101
_NO_SESSION: Final = "the engine has no build sessions: it builds without BuildKit"


class NoSessionError(EnvctlError):
    """The engine has no sessions, because it has no BuildKit."""


class BuildSession:
    """A context manager; its `id` is passed to the build. NoSessionError if the engine has no sessions."""

    def __init__(
        self, api: EngineApi, *, registries: Registries, values: Mapping[str, bytes] | None = None
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
        """Whether the engine has closed the session."""
        return not self._server.serves

    def __enter__(self) -> Self:
        # Imported only by builds: nothing else needs HTTP/2.
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
        # Otherwise closing would wait for a credentials helper that has not answered yet.
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
        """The connection, and the first bytes that the engine sent on it."""
        if self._answer.status != _SWITCHED:
            raise NoSessionError(_NO_SESSION)
        # In a session, the engine sends first.
        self._answer.be_patient(Patience.of(TIMEOUT))
        first = self._answer.read()
        self._socket, ahead = self._answer.take_over()
        return self._socket, first + ahead
