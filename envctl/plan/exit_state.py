"""How a process ended, in words. Pure."""

from __future__ import annotations

import json
import signal
from contextlib import suppress

from envctl.plan.state import Status, UnitState
from envctl.plan.text import size_text

_SIGNALS = 128
"""Shells and engines add this to the number of the signal that ended a process."""
_REFUSALS = {126: "its command cannot be run", 127: "its command was not found"}


def exit_text(code: int | None) -> str:
    """Return an exit code, with the name of its signal: "exit code 143 (SIGTERM)". "" for None."""
    if code is None:
        return ""
    with suppress(ValueError):
        return f"exit code {code} ({signal.Signals(code - _SIGNALS).name})"
    return f"exit code {code}"


def memory_text(state: UnitState) -> str:
    """Return the memory limit that the unit was made with: "limit 64 MiB"; "" if it has none."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        if limit := json.loads(state.run)["resources"]["memory"]:
            return f"limit {size_text(limit)}"
    return ""


def killed_text(state: UnitState) -> str:
    """Return the text for a process that the kernel killed because of its memory, with the limit."""
    limit = memory_text(state)
    return "killed for memory" + (f" ({limit})" if limit else "")


def ended_with(state: UnitState) -> str:
    """Return the exit code of a unit's last process, and the cause if known; "" if both are unknown."""
    if state.status is Status.OOM_KILLED:
        parts = [killed_text(state)]
    else:
        parts = [exit_text(state.exit_code), _REFUSALS.get(state.exit_code or 0, "")]
    return ": ".join(part for part in (*parts, state.cause) if part)


def remedy(state: UnitState) -> str:
    """Return what to do about it; "" if that is unknown."""
    if state.status is Status.OOM_KILLED:
        return "raise `resources.memory` of the service"
    return ""
