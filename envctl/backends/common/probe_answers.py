"""What units' probes answered, kept on this host until they may be asked again.

A probe is asked by one asker at a time, and no more often than the spec says, however many commands want to know:
who comes too early, or while another one asks, is told what was heard last. Nothing depends on this being kept; where it
cannot be written, each command asks for itself.
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

NOT_ASKED: Final = "its probe has not been asked yet"
_FOLDER: Final = "probes"
_LONGEST: Final = 16 * 1024
"""Bytes of such a file that are read, and characters of an answer that are kept."""
_SLACK: Final = 0.05
"""Seconds by which clocks and schedulers may be off."""
_GRACE: Final = 15.0
"""Seconds beyond a probe's time-out that another asker is waited for."""

_Question = Callable[[], tuple[bool, str] | None]


class Answers:
    """Those of one environment's units on one backend."""

    def __init__(self, scope: Scope, backend: str) -> None:
        self._root = Path(scope.root)
        self._names = (scope.environment, backend)

    def begin(self, unit: str, *, after: str = "") -> None:
        """Note that a unit was just started: nothing is known of it. `after` is the backend's mark of what is too old."""
        with suppress(BlockingIOError), self._held(unit, patience=_GRACE) as file:
            _write(file, {"begun": time.time(), "after": after})

    def last(self, unit: str) -> Mapping[str, Any]:
        """What is kept of a unit: `begun`, seconds since 1970, and `after`, if it was started with this envctl."""
        descriptor = self._opened(unit)
        try:
            return _read(descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def ask(self, unit: str, probe: Probe, question: _Question) -> tuple[bool, str]:
        """Is it healthy, and what its probe said: asked now, or not so long ago.

        `question` may say that it cannot be asked now, with None.
        """
        try:
            with self._held(unit, patience=probe.timeout + _GRACE) as file:
                return _asked(file, probe, question)
        except BlockingIOError:
            return False, "another command is asking its probe"

    @contextmanager
    def _held(self, unit: str, *, patience: float) -> Iterator[int | None]:
        """The unit's file, to oneself; None if there can be none. BlockingIOError if another command holds it for too long."""
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
        # A file system without locks: two commands may ask at the same time.
        return


def _asked(file: int | None, probe: Probe, question: _Question) -> tuple[bool, str]:
    known = _read(file)
    told = _told(known)
    if told is not None and time.time() < _next(probe, known) - _SLACK:
        return told
    answer = question()
    if answer is None:
        return told or (False, NOT_ASKED)
    healthy, said = answer
    at = {"at": time.time(), "healthy": healthy, "said": said[:_LONGEST]}
    _write(file, {**known, **at})
    return answer


def _next(probe: Probe, known: Mapping[str, Any]) -> float:
    """When it may be asked again."""
    at = float(known["at"])
    begun: Any = known.get("begun")
    waited = time.time() - float(begun) if isinstance(begun, float) else probe.start_period
    return at + (probe.interval if known["healthy"] else probe.pause(waited))


def _told(known: Mapping[str, Any]) -> tuple[bool, str] | None:
    healthy, said, at = known.get("healthy"), known.get("said"), known.get("at")
    fine = isinstance(healthy, bool) and isinstance(said, str) and isinstance(at, float)
    # A clock that was set back must not make an answer last.
    if not fine or float(at or 0.0) > time.time() + _SLACK:
        return None
    return bool(healthy), str(said)


def _read(descriptor: int | None) -> Mapping[str, Any]:
    if descriptor is None:
        return {}
    try:
        found = json.loads(os.pread(descriptor, 8 * _LONGEST, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(descriptor: int | None, data: Mapping[str, Any]) -> None:
    if descriptor is not None:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(data).encode(), 0)
