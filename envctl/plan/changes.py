"""Changes of an engine's state, each with its causes."""

from __future__ import annotations

from enum import StrEnum

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, DockerfileBuild, Unit


class Action(StrEnum):
    """The kinds of change.

    HOOK runs the `after_start` hooks of a unit that have not run yet. START also resumes a paused unit, and repairs a running
    one that has lost something; if that needs a restart, the change is a RESTART.
    STOP comes before a unit's own change if other units wait for what it releases (see `change_order`).
    DELETE_VOLUME deletes a volume with its data (`unit` is the volume's name), only at the user's request.
    TEAR_DOWN removes what an environment's units shared, after the last of them.
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
"""Actions that are not a unit's own change."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a change, in words, and its place in the spec.

    `warning` says, in a few words, why the user should look closely: "runs as root".
    """

    text: str
    where: Place | None = None
    warning: str = ""


def because(text: str, where: Place | None = None, *, warning: str = "") -> tuple[Cause, ...]:
    """Return the causes of a change with a single cause."""
    return (Cause(text, where, warning),)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one unit, or for BUILD of an image that several units share.

    `causes` are its reasons, at least one. `target` is the desired result: the build for BUILD, otherwise
    the unit; None if the unit was removed from the spec. `needs` are the keys of the changes that must be done,
    and their units ready, before this one; `frees` are the keys of changes that take what this one releases.
    """

    action: Action
    unit: str
    causes: tuple[Cause, ...]
    target: Unit | Build | DockerfileBuild | None = None
    needs: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """All causes on one line."""
        return "; ".join(cause.text for cause in self.causes)

    @property
    def where(self) -> Place | None:
        """The place in the spec of the first cause that has one."""
        return next((cause.where for cause in self.causes if cause.where), None)

    @property
    def key(self) -> str:
        """The name of this change in `needs` and `frees` of others."""
        if self.action in _KEYED_BY_ACTION:
            return f"{self.action}:{self.unit}"
        return self.unit
