"""What a builder may ask while it builds: whether this end is alive, credentials of a registry, secrets of the build.

The messages are those of moby/buildkit: `session/auth/auth.proto`, `session/secrets/secrets.proto`. What else there is (files,
SSH agents, tokens) is not implemented, which is an answer too: a builder that may not have its tokens made here asks for the credentials.
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
    """The answers to one build; `asked_registries` are the registries whose credentials it wanted, in order."""

    def __init__(self, registries: Registries, secrets: Mapping[str, bytes]) -> None:
        self.asked_registries: list[str] = []
        self._registries = registries
        self._secrets = secrets

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the path of each method that is implemented."""
        return {HEALTH: self._health, CREDENTIALS: self._credentials, SECRET: self._secret}

    def _health(self, request: bytes) -> bytes:
        del request
        return message([(1, _SERVING)])

    def _credentials(self, request: bytes) -> bytes:
        host = text(_fields(request).get(1))
        self.asked_registries.append(host)
        login = self._registries.login(host)
        # Nothing known of a registry is no failure: much of what registries have is for everyone.
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
