"""How far a change, or a unit on its way to being ready, has come."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """DONE is a change that was made; READY is a unit that dependents may rely on after it."""

    WAITING = "waiting"
    DOING = "doing"
    DONE = "done"
    READY = "ready"
    FAILED = "failed"
