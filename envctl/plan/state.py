"""What is really there, as a backend saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What a unit's process is doing."""

    MISSING = "missing"
    CREATED = "created"
    RUNNING = "running"
    RESTARTING = "restarting"
    PAUSED = "paused"
    EXITED = "exited"


class Health(StrEnum):
    """What a unit's probe says; NONE where it has none."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit as observed.

    `build` is the digest of the build it was made from ("" for a ready image, whose reference
    stands in `image`); `run` is the canonical text of the run it was made for (`digest.run_text`).
    `outdated` says that the build's image was made anew since. `id` names this incarnation: another id is another container or machine.
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
    restarts: int = 0
    started_at: str = ""
    cause: str = ""
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """An environment as observed. `images` maps the digests of builds that are at hand to their recorded steps."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
