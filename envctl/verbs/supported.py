"""What not every backend can do: asked for where a verb needs it."""

from __future__ import annotations

from typing import TypeVar

from envctl.backends.base import Backend
from envctl.errors import EnvctlError
from envctl.plan.target import DEFAULT_BACKEND

_Protocol = TypeVar("_Protocol")


def require_support(backend: Backend, protocol: type[_Protocol], verb: str) -> _Protocol:
    """The backend as one that has the methods of the protocol. EnvctlError, which names the verb, if it has not."""
    if isinstance(backend, protocol):
        return backend
    raise EnvctlError(
        f"the {backend.name} backend does not support `envctl {verb}`",
        hint=f"another backend may, for instance @{DEFAULT_BACKEND}",
    )
