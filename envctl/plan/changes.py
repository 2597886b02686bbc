"""What has to be done, each with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from envctl.errors import Place
from envctl.plan.model import Build, DockerfileBuild, Unit


class Action(StrEnum):
    """The kinds of change.

    DISCARD deletes a volume with its data (`unit` is the volume's name) and is only ever asked for;
    DISMANTLE removes what an environment's units shared, when the last of them goes.
    """

    BUILD = "build"
    CREATE = "create"
    REPLACE = "replace"
    RECONFIGURE = "reconfigure"
    START = "start"
    STOP = "stop"
    REMOVE = "remove"
    DISCARD = "discard"
    DISMANTLE = "dismantle"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do to one unit (or, for BUILD, to the image several units share).

    `target` is what to make of it: the build for BUILD, the unit for all else, None where the unit
    is in the spec no more. `cause` is why, in words; `where` the place in the spec that asks for it.
    `needs` are the keys of the changes that must be done, and be ready, before this one.
    """

    action: Action
    unit: str
    cause: str
    where: Place | None = None
    target: Unit | Build | DockerfileBuild | None = None
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What other changes name this one by."""
        if self.action in (Action.BUILD, Action.DISCARD, Action.DISMANTLE):
            return f"{self.action}:{self.unit}"
        return self.unit
