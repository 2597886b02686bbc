"""The observed state, as a backend reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final

from envctl.lazy_dataclass import dataclass


class Status(StrEnum):
    """What a unit's process is doing, or how it ended.

    STOPPED: envctl stopped the unit. OOM_KILLED: the kernel killed its process because memory ran out. UNREACHABLE:
    the engine reports that the unit runs, but the unit does not answer. UNKNOWN: the engine does not know. A unit whose
    state is UNREACHABLE or UNKNOWN must never count as EXITED.
    """

    MISSING = "missing"
    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    PAUSED = "paused"
    STOPPED = "stopped"
    EXITED = "exited"
    OOM_KILLED = "oom-killed"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"

    @property
    def is_over(self) -> bool:
        """Whether the process has ended, and the engine will not restart it."""
        return self in _OVER


_OVER = frozenset({Status.STOPPED, Status.EXITED, Status.OOM_KILLED})


class Health(StrEnum):
    """The result of a unit's health probe; NONE if it has no probe."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


BEING_STOPPED: Final = "it is being stopped"
"""The defect of a unit that still runs and is about to end, because a command that stops it goes on or was interrupted."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between a unit as envctl created it and as the engine has it now. Something else has changed it.

    `path` is the path, in the run, of the value that it contradicts. With `in_place`, starting the unit repairs it;
    otherwise the unit has to be replaced.
    """

    text: str
    path: tuple[str, ...] = ()
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit, as observed.

    - `build`: the digest of the build it was made from; "" for a ready image, which `image` names.
    - `run`: the canonical text of the run it was made for (`digest.run_text`).
    - `id`: the container or machine. A replaced unit has another id.
    - `cause`: why it is in this state.
    - `defect`: what it has lost, such as a port, even if it runs. `up` repairs it, by a restart if it `needs_restart`.
    - `unfinished`: the `up` that was making it was interrupted.
    - `hooks`: the digests of the `after_start` hooks that succeeded since envctl started it (see `hooks.digests`).
    - `published`: the addresses on this host, by port inside ("8000/tcp").
    - `outdated`: its image was rebuilt since it was made.
    - `drift`: how the engine's record differs from what envctl created. `unchecked`: what could not be checked, with the
      reason. Both need a plan.
    """

    name: str
    service: str
    status: Status
    replica: int = 1
    health: Health = Health.NONE
    exit_code: int | None = None
    build: str = ""
    image: str = ""
    run: str = ""
    id: str = ""
    addresses: tuple[str, ...] = ()
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    restarts: int = 0
    started_at: str = ""
    cause: str = ""
    outdated: bool = False
    defect: str = ""
    needs_restart: bool = False
    unfinished: bool = False
    hooks: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """An environment, as observed. `images` maps the digests of existing builds to their recorded steps."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
