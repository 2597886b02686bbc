"""How a call to the engine can fail. The system's own errors come out as EngineConnectionError."""

from __future__ import annotations


class EngineError(Exception):
    """The engine did not do what it was asked to."""


class ApiError(EngineError):
    """The engine answered with an error: its HTTP status, and what it says itself."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status
        self.explanation = explanation


class NotFoundError(ApiError):
    """What was asked for does not exist (404)."""


class AnswerError(EngineError):
    """An answer of another form than any engine's."""

    def __init__(self, method: str, path: str, reason: str) -> None:
        super().__init__(f"its answer to {method} {path} is not as expected: {reason}")


class NoAnswerError(OSError):
    """The engine did not answer in time. No TimeoutError: that is a command's own."""


class EngineConnectionError(OSError):
    """The engine cannot be connected to, or ended the connection; the system's error, if any, is the cause."""

    def __init__(self, message: str, *, denied: bool = False, absent: bool = False) -> None:
        super().__init__(message)
        self.denied = denied
        """Whether this user may not connect."""
        self.absent = absent
        """Whether nothing listens there."""

    @classmethod
    def because(cls, error: OSError) -> EngineConnectionError:
        """The system's error in its own words."""
        return cls(
            error.strerror or str(error),
            denied=isinstance(error, PermissionError),
            absent=isinstance(error, FileNotFoundError | ConnectionRefusedError),
        )


def api_error(status: int, explanation: str) -> ApiError:
    """The error of an answer's status."""
    return (NotFoundError if status == 404 else ApiError)(status, explanation)


def is_conflict(error: Exception) -> bool:
    """Whether an error of the engine says that something exists already, or is in the way."""
    return isinstance(error, ApiError) and error.status == 409
