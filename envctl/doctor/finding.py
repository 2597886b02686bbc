"""The outcome of one check, and what repairs it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum

from envctl.doctor.host import Host
from envctl.lazy_dataclass import dataclass
from envctl.progress import Report


class Reach(StrEnum):
    """How an attempt to talk to a daemon ended."""

    ANSWERS = "answers"
    ABSENT = "absent"
    DENIED = "denied"
    FAILS = "fails"


class RepairStage(IntEnum):
    """When a repair is done: all of one stage before those of the next, and packages before any."""

    DEVICES = 0
    """Access to devices, which daemons look at when they start."""
    DAEMONS = 1


@dataclass(frozen=True, slots=True)
class Repair:
    """What is done, besides installing packages, by a function that reports how it goes. Names are unique."""

    name: str
    stage: RepairStage
    run: Callable[[Host, Report], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and, where it is not as it should be, what to do.

    Without what is `needed` envctl does not work; anything else is advice. `packages` are the
    distribution's that fix it; `repairs` have to be done as well.
    """

    name: str
    ok: bool
    observed: str
    remedy: str = ""
    needed: bool = True
    packages: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()

    @property
    def fixable(self) -> bool:
        """Whether `doctor --fix` knows how to fix it on this system."""
        return not self.ok and bool(self.packages or self.repairs)
