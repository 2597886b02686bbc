"""The error for a verb that a backend does not support."""

from __future__ import annotations

from envctl.backends.base import Backend
from envctl.errors import EnvctlError
from envctl.plan.target import DEFAULT_BACKEND


def unsupported(backend: Backend, verb: str) -> EnvctlError:
    """The error for a verb that a backend does not support."""
    return EnvctlError(
        f"the {backend.name} backend does not support `envctl {verb}`",
        hint=f"another backend may, for instance @{DEFAULT_BACKEND}",
    )
