"""Stores the latest results of health checks on this host, until the checks are due again.

Only one command checks a unit at a time, and no more often than the spec says, however many commands run. A command
that comes too early, or during another check, gets the latest result. Nothing depends on these files: if they cannot be
written, each command runs its own checks.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from envctl.errors import EnvctlError
from envctl.host.file_lock import lock
from envctl.host.private_state import open_private, private_folder

if TYPE_CHECKING:
    from envctl.plan.model import Probe
    from envctl.plan.scope import Scope

NOT_ASKED: Final = "its probe has not run yet"
_FOLDER: Final = "probes"
_LONGEST: Final = 16 * 1024
"""The maximum length of a stored message, in characters."""
_SLACK: Final = 0.05
"""How many seconds clocks and schedulers may differ."""
_GRACE: Final = 15.0
"""How many seconds to wait, beyond the check's timeout, for a check of another command."""

_Question = Callable[[], tuple[bool, str] | None]


class ProbeResults:
    """The results of one environment's units on one backend."""

    def __init__(self, scope: Scope, backend: str) -> None:
        self._root = Path(scope.root)
        self._names = (scope.environment, backend)

    def begin(self, unit: str, *, after: str = "") -> None:
        """Record that a unit has just started, so earlier results do not count. `after` identifies outdated results."""
        with suppress(BlockingIOError), self._held(unit, patience=_GRACE) as file:
            _write(file, {"begun": time.time(), "after": after})

    def last(self, unit: str) -> Mapping[str, Any]:
        """The stored data of a unit that envctl has started, such as `begun` (seconds since 1970) and `after`."""
        descriptor = self._opened(unit)
        try:
            return _read(descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def ask(self, unit: str, probe: Probe, question: _Question) -> tuple[bool, str]:
        """Whether the unit is healthy, and the message of its health check, now or a moment ago.

        `question` runs the check; None means that it cannot run now.
        """
        try:
            with self._held(unit, patience=probe.timeout + _GRACE) as file:
                return _recent_or_new(file, probe, question)
        except BlockingIOError:
            return False, "another command is running its probe"

    @contextmanager
    def _held(self, unit: str, *, patience: float) -> Iterator[int | None]:
        """Lock the unit's file; None if it cannot be written. BlockingIOError if another process holds it for too long."""
        descriptor = self._opened(unit)
        try:
            if descriptor is not None:
                _lock(descriptor, patience)
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _opened(self, unit: str) -> int | None:
        with suppress(OSError, EnvctlError):
            path = private_folder(self._root, _FOLDER) / f"{'-'.join((*self._names, unit))}.json"
            return open_private(path, os.O_RDWR | os.O_CREAT)
        return None


def _lock(descriptor: int, patience: float) -> None:
    try:
        lock(descriptor, patience=patience)
    except BlockingIOError:
        raise
    except OSError:
        # The file system has no locks, so two commands may check at the same time.
        return


def _recent_or_new(file: int | None, probe: Probe, question: _Question) -> tuple[bool, str]:
    stored = _read(file)
    recent = _result(stored)
    if recent is not None and time.time() < _due(probe, stored) - _SLACK:
        return recent
    answer = question()
    if answer is None:
        return recent or (False, NOT_ASKED)
    healthy, message = answer
    result = {"at": time.time(), "healthy": healthy, "said": message[:_LONGEST]}
    _write(file, {**stored, **result})
    return answer


def _due(probe: Probe, stored: Mapping[str, Any]) -> float:
    """When the health check may run again."""
    at = float(stored["at"])
    begun: Any = stored.get("begun")
    waited = time.time() - float(begun) if isinstance(begun, float) else probe.start_period
    return at + (probe.interval if stored["healthy"] else probe.pause(waited))


def _result(stored: Mapping[str, Any]) -> tuple[bool, str] | None:
    healthy, message, at = stored.get("healthy"), stored.get("said"), stored.get("at")
    # Ignore a result from the future: the clock was set back, and the result would stay the latest for too long.
    if not isinstance(at, float) or at > time.time() + _SLACK:
        return None
    return (healthy, message) if isinstance(healthy, bool) and isinstance(message, str) else None


def _read(descriptor: int | None) -> Mapping[str, Any]:
    if descriptor is None:
        return {}
    try:
        stored = json.loads(os.pread(descriptor, 8 * _LONGEST, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _write(descriptor: int | None, data: Mapping[str, Any]) -> None:
    if descriptor is not None:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(data).encode(), 0)
