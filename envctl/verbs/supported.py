"""What is said of a verb that not every backend can do."""

from __future__ import annotations

from envctl.backends.base import Backend
from envctl.errors import EnvctlError
from envctl.plan.target import DEFAULT_BACKEND


def unsupported(backend: Backend, verb: str) -> EnvctlError:
    """The error for a verb that a backend has not got."""
    return EnvctlError(
        f"the {backend.name} backend does not support `envctl {verb}`",
        hint=f"another backend may, for instance @{DEFAULT_BACKEND}",
    )
