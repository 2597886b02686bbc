"""The result of a check, and its repairs."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum

from envctl.doctor.host import Host
from envctl.lazy_dataclass import dataclass
from envctl.progress import Report


class DaemonState(StrEnum):
    """Whether a daemon answers."""

    ANSWERS = "answers"
    ABSENT = "absent"
    DENIED = "denied"
    FAILS = "fails"


class RepairStage(IntEnum):
    """The order of repairs: stage by stage. Packages are installed before all repairs."""

    DEVICES = 0
    """Access to devices: daemons check it when they start."""
    DAEMONS = 1


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair other than installing packages: a function that reports its progress. Names are unique."""

    name: str
    stage: RepairStage
    run: Callable[[Host, Report], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """The checked thing, the observation and, for a failed check, the remedy.

    envctl does not work without what is `needed`; other findings are advice. `packages` of the distribution and
    `repairs` together fix it.
    """

    name: str
    ok: bool
    observed: str
    remedy: str = ""
    needed: bool = True
    packages: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()

    @classmethod
    def passed(cls, name: str, observed: str, *, needed: bool = True) -> Finding:
        """The finding of a check that passed."""
        return cls(name, ok=True, observed=observed, needed=needed)

    @classmethod
    def failed(
        cls,
        name: str,
        observed: str,
        remedy: str,
        *,
        needed: bool = True,
        packages: tuple[str, ...] = (),
        repairs: tuple[Repair, ...] = (),
    ) -> Finding:
        """The finding of a check that failed, with the remedy."""
        return cls(name, False, observed, remedy, needed, packages, repairs)

    @property
    def fixable(self) -> bool:
        """Whether `doctor --fix` knows how to fix it on this system."""
        return not self.ok and bool(self.packages or self.repairs)
