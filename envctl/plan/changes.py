"""What has to be done, each with its causes."""

from __future__ import annotations

from enum import StrEnum

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, DockerfileBuild, Unit


class Action(StrEnum):
    """The kinds of change.

    HOOK runs those after_start hooks of a unit that have not run; START also resumes what is paused, and puts right what a
    unit that runs has lost; where that takes a RESTART, it is one.
    STOP comes before a unit's own change where others wait for what it lets go of (see `change_order`).
    DISCARD deletes a volume with its data (`unit` is the volume's name) and is only ever asked for;
    DISMANTLE removes what an environment's units shared, when the last of them goes.
    """

    BUILD = "build"
    CREATE = "create"
    REPLACE = "replace"
    RECONFIGURE = "reconfigure"
    START = "start"
    RESTART = "restart"
    HOOK = "hook"
    STOP = "stop"
    REMOVE = "remove"
    DELETE_VOLUME = "discard"
    TEAR_DOWN = "dismantle"


_KEYED_BY_ACTION = (Action.BUILD, Action.STOP, Action.DELETE_VOLUME, Action.TEAR_DOWN)
"""What is done beside a unit's own change, or not to a unit."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a change, in words, and the place in the spec that asks for it.

    `warning` says, in a few words, why a reader should look twice: "runs as root".
    """

    text: str
    where: Place | None = None
    warning: str = ""


def because(text: str, where: Place | None = None, *, warning: str = "") -> tuple[Cause, ...]:
    """The causes of a change that has only one."""
    return (Cause(text, where, warning),)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do to one unit (or, for BUILD, to the image several units share).

    `causes` are all its reasons, at least one. `target` is what to make of it: the build for BUILD,
    the unit for all else, None where the unit was removed from the spec. `needs` are the keys of the
    changes that must be done, and be ready, before this one; `frees` are those that take what it lets go of.
    """

    action: Action
    unit: str
    causes: tuple[Cause, ...]
    target: Unit | Build | DockerfileBuild | None = None
    needs: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """All its causes on one line."""
        return "; ".join(cause.text for cause in self.causes)

    @property
    def where(self) -> Place | None:
        """The place in the spec of the first cause that has one."""
        return next((cause.where for cause in self.causes if cause.where), None)

    @property
    def key(self) -> str:
        """What other changes name this one by."""
        if self.action in _KEYED_BY_ACTION:
            return f"{self.action}:{self.unit}"
        return self.unit
