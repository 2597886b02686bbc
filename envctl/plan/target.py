"""Which environment a command means, and on which backend."""

from __future__ import annotations

from typing import Final

from envctl.errors import UsageError
from envctl.lazy_dataclass import dataclass

DEFAULT_BACKEND: Final = "docker"
"""The backend of an environment whose spec names none."""


@dataclass(frozen=True, slots=True)
class Target:
    """An environment, on the backend its spec names or on another one."""

    environment: str
    backend: str | None = None

    def __str__(self) -> str:
        return f"{self.environment}@{self.backend}" if self.backend else self.environment

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ENV or ENV@BACKEND. UsageError if it is neither."""
        environment, at, backend = text.partition("@")
        if not environment or (at and not backend) or "@" in backend:
            raise UsageError(
                f"{text!r} is not a target",
                hint=f"write ENV or ENV@BACKEND: dev, dev@{DEFAULT_BACKEND}",
            )
        return cls(environment, backend or None)
