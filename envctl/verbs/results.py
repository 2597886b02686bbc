"""Results that commands return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from envctl.lazy_dataclass import dataclass
from envctl.plan.changes import Change
from envctl.plan.model import Plan, ReadyImage, Source

if TYPE_CHECKING:
    from envctl.reconcile.volume_notes import VolumeNote
    from envctl.trust.host_access import HostAccess

Decided: TypeAlias = Callable[[Sequence[Change]], None]
"""A function that is called with the changes before the first one is made."""


def ignore_changes(_changes: Sequence[Change]) -> None:
    """Ignore the changes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The changes that `up` would make now, notes about volumes, and access that the user has not allowed yet."""

    plan: Plan
    changes: tuple[Change, ...]
    volumes: tuple[VolumeNote, ...]
    unapproved: tuple[HostAccess, ...]


@dataclass(frozen=True, slots=True)
class UpResult:
    """The changes that `up` made, and the addresses of the services."""

    plan: Plan
    changes: tuple[Change, ...]
    addresses: Mapping[str, tuple[str, ...]]
    simulated: bool = False
    """Whether the environment is only simulated: nothing runs, and no address answers."""


@dataclass(frozen=True, slots=True)
class BuildPair:
    """The sources of a unit in two environments: a build's digest or an image's name; None if the unit is missing."""

    before: str | None
    after: str | None

    @classmethod
    def of(cls, before: Source | None, after: Source | None) -> BuildPair:
        """The pair of two sources."""
        return cls(_source_id(before), _source_id(after))

    @property
    def same(self) -> bool:
        """Whether both have the same source."""
        return self.before == self.after

    @property
    def only(self) -> str:
        """The text to show if only one environment has the unit; otherwise ""."""
        if self.before is None:
            return "only in the second"
        return "only in the first" if self.after is None else ""


def _source_id(source: Source | None) -> str | None:
    if source is None:
        return None
    return source.image if isinstance(source, ReadyImage) else source.digest
