"""The progress of a change, or of a unit that is becoming ready."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """DONE: the change was applied. READY: dependents may start."""

    WAITING = "waiting"
    DOING = "doing"
    DONE = "done"
    READY = "ready"
    FAILED = "failed"
