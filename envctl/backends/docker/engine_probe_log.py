"""The results of the engine's health checks. Once the engine checks a container, envctl runs no checks of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from envctl.backends.docker.engine import version_numbers
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Probe

_START_INTERVAL_API: Final = "1.44"
"""The API of engine 25, the first with `StartInterval`: more frequent checks while a container starts."""
_SHORTEST: Final = 0.4
"""The minimum duration of a command in a container, in seconds."""
_TIMED_OUT: Final = "Health check exceeded timeout"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a health check; the exit code is None if it timed out."""

    exit_code: int | None
    output: str


def knows_start_interval(api_version: str) -> bool:
    """Whether the engine knows `StartInterval`."""
    return version_numbers(api_version) >= version_numbers(_START_INTERVAL_API)


def last_mark(state: Mapping[str, Any]) -> str:
    """The start time of the last health check in the engine's log; "" if there is none."""
    log = (state.get("Health") or {}).get("Log") or [{}]
    return str(log[-1].get("Start") or "")


def last_result(state: Mapping[str, Any], *, after: str = "") -> ProbeResult | None:
    """The last health check since the container started and after `after`; None if there was none."""
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
    """How many seconds remain for our own check before the engine's first one; 0 if that is too short.

    `since` is when a paused container was resumed, in seconds since 1970; `starts_soon` is whether the engine supports
    `StartInterval`.
    """
    started = _moment(str(state.get("StartedAt") or ""))
    if started is None:
        return 0.0
    begun = max(started.timestamp(), since or 0.0)
    first = probe.pause(0.0) if starts_soon else probe.interval
    left = begun + first - probe.pause(0.0) - now
    # The clocks of a remote engine and this host may differ.
    return left if _SHORTEST <= left <= first else 0.0


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
