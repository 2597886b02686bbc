"""Errors of calls to the engine. Errors of the operating system become EngineConnectionError."""

from __future__ import annotations


class EngineError(Exception):
    """The engine did not do what it was asked to."""


class ApiError(EngineError):
    """The engine answered with an error: its HTTP status and its own explanation."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status
        self.explanation = explanation


class NotFoundError(ApiError):
    """The resource does not exist (404)."""


class AnswerError(EngineError):
    """An answer that no Docker engine gives."""

    def __init__(self, method: str, path: str, reason: str) -> None:
        super().__init__(f"unexpected answer to {method} {path}: {reason}")


class NoAnswerError(OSError):
    """The engine did not answer in time. Not a TimeoutError, which stands for a command's own timeout."""


class EngineConnectionError(OSError):
    """Connecting to the engine failed, or it closed the connection. The operating system's error, if any, is the cause."""

    def __init__(self, message: str, *, denied: bool = False, absent: bool = False) -> None:
        super().__init__(message)
        self.denied = denied
        """Whether this user may not connect."""
        self.absent = absent
        """Whether nothing listens at the address."""

    @classmethod
    def because(cls, error: OSError) -> EngineConnectionError:
        """An error with the operating system's message."""
        return cls(
            error.strerror or str(error),
            denied=isinstance(error, PermissionError),
            absent=isinstance(error, FileNotFoundError | ConnectionRefusedError),
        )


def api_error(status: int, explanation: str) -> ApiError:
    """The error for a status."""
    return (NotFoundError if status == 404 else ApiError)(status, explanation)


def is_conflict(error: Exception) -> bool:
    """Whether the engine reports a conflict (409): the resource already exists, or is in use."""
    return isinstance(error, ApiError) and error.status == 409
