"""What verbs tell whoever called them."""

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
"""Called with what was decided, before any of it is done."""


def ignore_changes(_changes: Sequence[Change]) -> None:
    """Nobody wants to know what was decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What `up` would do now, and what is worth knowing of that: of volumes, and what the user has not allowed yet."""

    plan: Plan
    changes: tuple[Change, ...]
    volumes: tuple[VolumeNote, ...]
    unapproved: tuple[HostAccess, ...]


@dataclass(frozen=True, slots=True)
class UpResult:
    """What `up` did, and where what is up can be reached."""

    plan: Plan
    changes: tuple[Change, ...]
    addresses: Mapping[str, tuple[str, ...]]
    simulated: bool = False
    """Nothing really runs, and no address answers."""


@dataclass(frozen=True, slots=True)
class BuildPair:
    """What a unit is made of in two environments: a build's digest or an image's name, None where it is not."""

    before: str | None
    after: str | None

    @classmethod
    def of(cls, before: Source | None, after: Source | None) -> BuildPair:
        """The pair of two sources."""
        return cls(_source_id(before), _source_id(after))

    @property
    def same(self) -> bool:
        """Whether it is the very same."""
        return self.before == self.after

    @property
    def only(self) -> str:
        """Said of a unit that one of them has not."""
        if self.before is None:
            return "only in the second"
        return "only in the first" if self.after is None else ""


def _source_id(source: Source | None) -> str | None:
    if source is None:
        return None
    return source.image if isinstance(source, ReadyImage) else source.digest
