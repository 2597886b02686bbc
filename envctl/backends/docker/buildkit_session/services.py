"""The services that a builder may use during a build: health check, registry credentials, secrets of the build.

The messages are those of moby/buildkit: `session/auth/auth.proto`, `session/secrets/secrets.proto`. Other methods (files,
SSH agents, tokens) are answered with "unimplemented"; a builder that cannot get tokens here asks for credentials instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.backends.docker.buildkit_session.grpc import Method, RefusedError, StatusCode
from envctl.backends.docker.protobuf import fields, message, text
from envctl.backends.docker.registries import Registries

HEALTH: Final = "/grpc.health.v1.Health/Check"
CREDENTIALS: Final = "/moby.filesync.v1.Auth/Credentials"
SECRET: Final = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - a method's name
_SERVING: Final = 1


class BuildServices:
    """Answers one build; `asked_registries` are the registries whose credentials it asked for, in order."""

    def __init__(self, registries: Registries, secrets: Mapping[str, bytes]) -> None:
        self.asked_registries: list[str] = []
        self._registries = registries
        self._secrets = secrets

    @property
    def methods(self) -> Mapping[str, Method]:
        """The implemented methods by path."""
        return {HEALTH: self._health, CREDENTIALS: self._credentials, SECRET: self._secret}

    def _health(self, request: bytes) -> bytes:
        del request
        return message([(1, _SERVING)])

    def _credentials(self, request: bytes) -> bytes:
        host = text(_fields(request).get(1))
        self.asked_registries.append(host)
        login = self._registries.login(host)
        # Missing credentials are not an error: many images are public.
        return message([(1, login.username.encode()), (2, login.secret.encode())]) if login else b""

    def _secret(self, request: bytes) -> bytes:
        name = text(_fields(request).get(1))
        if name not in self._secrets:
            raise RefusedError(StatusCode.NOT_FOUND, f"this build has no secret {name}")
        return message([(1, self._secrets[name])])


def _fields(request: bytes) -> Mapping[int, int | bytes]:
    try:
        return dict(fields(request))
    except ValueError as error:
        raise RefusedError(StatusCode.INTERNAL, "not a message of this method") from error
