"""Progress events, from the code that works to the code that shows them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from envctl.lazy_dataclass import dataclass


class Stage(StrEnum):
    """The state of a piece of work."""

    STARTED = "started"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Progress:
    """One event: the piece of work ("build web", "start db", "base debian:bookworm"), and what it is doing."""

    work: str
    stage: Stage
    text: str = ""


Report: TypeAlias = Callable[[Progress], None]


def no_progress(_event: Progress) -> None:
    """A report that shows nothing."""
