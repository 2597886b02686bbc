"""Machines that do not let anybody in: for now, or for good.

What is for good, such as another host key, is not tried again. How long a machine was waited for is remembered while this
program runs: several changes of one command would otherwise wait for it one after the other.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError

_LASTS: Final = 300.0
"""Seconds after which a machine that did not answer is waited for again."""
_AGAIN: Final = "take it down and up again: `envctl down` works without it"
_KEY_SIGNS: Final = (
    "UNPROTECTED PRIVATE KEY",
    "bad permissions",
    "invalid format",
    "error in libcrypto",
)
_failed: dict[Path, tuple[float, float, EnvctlError]] = {}
"""By connection: when it failed, for how many seconds it was tried, and the error."""


def permanent_error(unit: str, address: str, key: Path, details: str) -> EnvctlError | None:
    """The error, if what ssh said will be the same the next time."""
    if "HOST IDENTIFICATION HAS CHANGED" in details or "Host key verification failed" in details:
        return EnvctlError(
            f"{unit}: what answers at {address} has another host key than its machine",
            details=details,
            hint=f"another machine may have its address; if it was made anew by other means, {_AGAIN}",
        )
    if any(sign in details for sign in _KEY_SIGNS):
        return EnvctlError(
            f"{unit}: its machine's key {key} cannot be used",
            details=details,
            hint=f"it has to be a private key that only you can read (mode 0600); or {_AGAIN}",
        )
    if "Permission denied" in details or "Too many authentication failures" in details:
        return EnvctlError(
            f"{unit}: its machine at {address} refuses envctl's key",
            details=details,
            hint=f"it was made with another one, or somebody removed it there; {_AGAIN}",
        )
    if "Could not resolve hostname" in details:
        return EnvctlError(
            f"{unit}: the address of its machine is not known",
            details=details,
            hint=f"libvirt has given it none, or it has lost it; {_AGAIN}",
        )
    return None


def temporary_error(unit: str, address: str, details: str) -> EnvctlError:
    """The error for a machine that may answer later."""
    return EnvctlError(
        f"{unit} does not answer at {address}",
        details=details,
        hint="look at it with `virsh console`, or take it down and up again",
    )


def time_waited(connection: Path, patience: float) -> float:
    """For how many seconds it was waited for in vain. EnvctlError if that is as long as is asked for, or will not help."""
    when, seconds, error = _failed.get(connection, (0.0, 0.0, None))
    if error is None or time.monotonic() - when > _LASTS:
        return 0.0
    if seconds >= patience:
        raise EnvctlError(error.brief, details=error.details, hint=error.hint)
    return seconds


def remember(connection: Path, error: EnvctlError, seconds: float) -> EnvctlError:
    """The error, noted with how long the machine was waited for."""
    _failed[connection] = time.monotonic(), seconds, error
    return error


def forget(connection: Path) -> None:
    """It answers, or was started anew."""
    _failed.pop(connection, None)
