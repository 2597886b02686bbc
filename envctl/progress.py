"""What is going on while work is done, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from envctl.lazy_dataclass import dataclass


class Stage(StrEnum):
    """Where a piece of work stands."""

    STARTED = "started"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Progress:
    """One event: the piece of work ("build web", "start db", "base debian:bookworm"), and what it does now."""

    work: str
    stage: Stage
    text: str = ""


Report: TypeAlias = Callable[[Progress], None]


def no_progress(_event: Progress) -> None:
    """A report that shows nothing."""
