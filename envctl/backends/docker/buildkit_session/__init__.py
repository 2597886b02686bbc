"""A session: a connection over which BuildKit asks envctl for what a build needs, for as long as that build runs."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from envctl.backends.docker.registries import Registries
from envctl.errors import EnvctlError

TIMEOUT: Final = 15.0
"""Seconds until the engine has to have taken the connection over."""
_SWITCHED: Final = 101


class NoSessionError(EnvctlError):
    """The engine takes no session: it has no BuildKit."""


class Session:
    """Open while it is entered; its `id` is what a build is started with. NoSessionError if the engine has none."""

    def __init__(
        self, api: Any, *, registries: Registries, values: Mapping[str, bytes] | None = None
    ) -> None:
        from envctl.backends.docker.buildkit_session.services import Answers

        self.id = secrets.token_hex(16)
        self._api = api
        self._registries = registries
        self._answers = Answers(registries, values or {})

    @property
    def asked(self) -> Sequence[str]:
        """The registries whose credentials the builder asked for, in order."""
        return tuple(self._answers.asked)

    @property
    def lost(self) -> bool:
        """Whether the engine has let go of it."""
        return not self._server.serves

    def __enter__(self) -> Self:
        # Imported by builds alone: whatever builds nothing needs no HTTP/2.
        from envctl.backends.docker.buildkit_session.grpc import Server

        api = self._api
        self._answer = api.post(
            f"{api.base_url}/v{api.api_version}/session",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "h2c",
                "X-Docker-Expose-Session-Uuid": self.id,
                "X-Docker-Expose-Session-Name": "envctl",
            },
            timeout=(TIMEOUT, TIMEOUT),
            stream=True,
        )
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

    def _connection(self) -> tuple[socket.socket, bytes]:
        """The connection itself, and what of the far end's first words was read together with the answer."""
        if self._answer.status_code != _SWITCHED:
            raise NoSessionError("the engine takes no sessions: it builds without BuildKit")
        reader = self._answer.raw._fp.fp  # noqa: SLF001 - requests gives the answer's content only
        self._socket: socket.socket = reader.raw._sock  # noqa: SLF001
        self._socket.settimeout(TIMEOUT)
        # The engine speaks first. From then on nothing is in the reader.
        return self._socket, reader.read1(1 << 16)
