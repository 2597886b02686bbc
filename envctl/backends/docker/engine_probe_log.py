"""What the engine's own prober has heard of a container: where it asks, nobody else does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.docker.client import version_numbers
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Probe

_START_INTERVAL_API: Final = "1.44"
"""Of engine 25, the first that asks more often while a container starts."""
_SHORTEST: Final = 0.4
"""Seconds that a command inside takes at the least."""
_TIMED_OUT: Final = "Health check exceeded timeout"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe of the engine's came to; the exit code is None if its time was over."""

    exit_code: int | None
    output: str


def knows_start_interval(api_version: str) -> bool:
    """Whether an engine can be told how often to ask while a container starts."""
    return version_numbers(api_version) >= version_numbers(_START_INTERVAL_API)


def last_mark(state: Mapping[str, Any]) -> str:
    """When the last probe that the engine remembers began; "" if it remembers none."""
    log = (state.get("Health") or {}).get("Log") or [{}]
    return str(log[-1].get("Start") or "")


def last_result(state: Mapping[str, Any], *, after: str = "") -> ProbeResult | None:
    """What the engine heard last, since the container was started and after a mark; None if it has not asked yet."""
    health = state.get("Health") or {}
    mark = last_mark(state)
    begun, started = _moment(mark), _moment(str(state.get("StartedAt") or ""))
    if begun is None or mark == after or (started is not None and begun < started):
        return None
    last = health["Log"][-1]
    code, output = last.get("ExitCode"), str(last.get("Output") or "").strip()
    if not isinstance(code, int) or output.startswith(_TIMED_OUT):
        return ProbeResult(None, output)
    return ProbeResult(code, output)


def seconds_left(
    probe: Probe, state: Mapping[str, Any], *, since: float | None, starts_soon: bool, now: float
) -> float:
    """Seconds for somebody else to ask, with a pause before the engine's first probe; 0 if those would be too few.

    `since` is when a container that was paused went on, in seconds since 1970; `starts_soon` says that the engine knows
    the probe's `start_interval`.
    """
    started = _moment(str(state.get("StartedAt") or ""))
    if started is None:
        return 0.0
    begun = max(started.timestamp(), since or 0.0)
    first = probe.pause(0.0) if starts_soon else probe.interval
    left = begun + first - probe.pause(0.0) - now
    # A clock that is not this host's tells nothing.
    return left if _SHORTEST <= left <= first else 0.0


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
