"""The observed state, as a backend reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from envctl.lazy_dataclass import dataclass


class Status(StrEnum):
    """What a unit's process is doing, or how it ended.

    STOPPED is said of a unit that envctl itself has stopped, OOM_KILLED of one whose process was killed because
    memory ran out. UNREACHABLE: the engine has it, and says that it runs, but it does not answer; UNKNOWN: nobody
    can tell. Neither is ever taken for EXITED.
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
        """Whether the process has ended, and is not going to be started again by the engine."""
        return self in _OVER


_OVER = frozenset({Status.STOPPED, Status.EXITED, Status.OOM_KILLED})


class Health(StrEnum):
    """What a unit's probe says; NONE where it has none."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between the unit as it was created and what the engine has now: somebody changed it by other means.

    `path` leads to what it contradicts, within the run; with `in_place` starting the unit repairs it;
    otherwise it has to be replaced.
    """

    text: str
    path: tuple[str, ...] = ()
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit as observed.

    `build` is the digest of the build it was made from ("" for a ready image, whose reference
    stands in `image`); `run` is the canonical text of the run it was made for (`digest.run_text`).
    `cause` says why it is in this state; `defect` what it has lost though it may run, such as a port: `up` puts that right,
    by a restart if it `needs_restart`.
    `unfinished`: the `up` that was making it was interrupted. `hooks` are the digests of the after_start
    hooks that have run to their end since envctl started it (see `hooks.digests`).
    `published` has, by port inside ("8000/tcp"), the addresses of this host that lead there.
    `outdated` says that the build's image was made anew since. `drift` is what the engine's own record has otherwise,
    `unchecked` what nobody could look at, each with the reason; both only where a plan was given. `id` names this incarnation: another id is another container or machine.
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
    """An environment as observed. `images` maps the digests of builds that are at hand to their recorded steps."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
