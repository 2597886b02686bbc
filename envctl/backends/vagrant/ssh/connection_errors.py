"""Errors of unreachable machines, and how long each machine was waited for.

A permanent error, such as another host key, ends the wait at once. This process remembers how long it has waited for a
machine. Otherwise several changes of one command would wait for it one after the other.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError

_LASTS: Final = 300.0
"""How many seconds pass before this process waits again for a machine that did not answer."""
_AGAIN: Final = "run `envctl down` and `envctl up`: `down` works without the machine"
_KEY_SIGNS: Final = (
    "UNPROTECTED PRIVATE KEY",
    "bad permissions",
    "invalid format",
    "error in libcrypto",
)
_failed: dict[Path, tuple[float, float, EnvctlError]] = {}
"""By connection: the time of the failure, how many seconds it was tried, and the error."""


def permanent_error(unit: str, address: str, key: Path, details: str) -> EnvctlError | None:
    """The error for ssh's message if another try would fail in the same way, otherwise None."""
    if "HOST IDENTIFICATION HAS CHANGED" in details or "Host key verification failed" in details:
        return EnvctlError(
            f"{unit}: the host key at {address} is not the one of its machine",
            details=details,
            hint=f"another machine may have taken its address; if its machine was replaced, {_AGAIN}",
        )
    if any(sign in details for sign in _KEY_SIGNS):
        return EnvctlError(
            f"{unit}: cannot use its machine's key {key}",
            details=details,
            hint=f"it must be a private key that only you can read (mode 0600); if it is lost, {_AGAIN}",
        )
    if "Permission denied" in details or "Too many authentication failures" in details:
        return EnvctlError(
            f"{unit}: its machine at {address} refuses envctl's key",
            details=details,
            hint=f"the machine has another key, or it was removed there; {_AGAIN}",
        )
    if "Could not resolve hostname" in details:
        return EnvctlError(
            f"{unit}: its machine has no known address",
            details=details,
            hint=f"libvirt assigned none, or the lease ended; {_AGAIN}",
        )
    return None


def temporary_error(unit: str, address: str, details: str) -> EnvctlError:
    """The error for a machine that does not answer yet."""
    return EnvctlError(
        f"{unit} does not answer at {address}",
        details=details,
        hint="look at it with `virsh console`, or run `envctl down` and `envctl up`",
    )


def time_waited(connection: Path, patience: float) -> float:
    """How many seconds were spent waiting for a machine in vain. EnvctlError if that is `patience` or more."""
    when, seconds, error = _failed.get(connection, (0.0, 0.0, None))
    if error is None or time.monotonic() - when > _LASTS:
        return 0.0
    if seconds >= patience:
        raise EnvctlError(error.brief, details=error.details, hint=error.hint)
    return seconds


def remember(connection: Path, error: EnvctlError, seconds: float) -> EnvctlError:
    """Record an error and how long the machine was waited for, and return the error."""
    _failed[connection] = time.monotonic(), seconds, error
    return error


def forget(connection: Path) -> None:
    """Forget failures, because the machine answers or was restarted."""
    _failed.pop(connection, None)
