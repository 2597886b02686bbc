"""`events`: report what happens to the units of an environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.plan.exit_state import exit_text
from envctl.plan.state import Health, Status, UnitState
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import named_units

_PAUSE: Final = 0.5
"""The minimum pause between two polls, in seconds. It spares a slow engine."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a unit; `time` is when envctl saw it, in RFC 3339."""

    time: str
    unit: str
    service: str
    event: str
    detail: str = ""


def events(
    project: Project,
    target: Target,
    services: Sequence[str] = (),
    *,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Event]:
    """Yield the events of these services or units, or of all, from now on, without end.

    The environment need not be up yet. Two events between two polls may be seen as one.
    """
    session = Session.of_existing(project, target)
    before = session.backend.observe()
    named_units(session, before, services)
    states = before.units
    while True:
        started = time.monotonic()
        now = session.backend.observe().units
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for event in changed(states, now, moment):
            if not services or {event.unit, event.service} & {*services}:
                yield event
        states = now
        pause(max(_PAUSE, 2 * (time.monotonic() - started)))


def changed(
    before: Mapping[str, UnitState], after: Mapping[str, UnitState], moment: str
) -> Iterator[Event]:
    """The events that lead from one state to the other. Pure."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        for event, detail in _events_of(old, new):
            service = (new or old or UnitState(name, name, Status.UNKNOWN)).service
            yield Event(moment, name, service, event, detail)


def _events_of(old: UnitState | None, new: UnitState | None) -> Iterator[tuple[str, str]]:
    if new is None:
        yield "removed", ""
        return
    if old is None:
        yield "created", ""
    elif old.id != new.id:
        yield "replaced", ""
        old = None
    if old is None or old.status is not new.status:
        yield from _status_event(new)
    elif new.restarts > old.restarts or old.started_at != new.started_at:
        yield "restarted", ""
    health = old.health if old and old.status is Status.RUNNING else Health.NONE
    if new.health is not health and new.status is Status.RUNNING and new.health in _REPORTED:
        yield str(new.health), new.cause


_REPORTED: Final = (Health.HEALTHY, Health.UNHEALTHY)


def _status_event(state: UnitState) -> Iterator[tuple[str, str]]:
    if state.status is Status.RUNNING:
        yield "started", ""
    elif state.status is not Status.CREATED:
        code = exit_text(state.exit_code) if state.exit_code is not None else ""
        yield str(state.status), code or state.cause
