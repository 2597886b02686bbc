"""`logs`: the output of units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envctl.backends.base import LogLine
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import units_with_logs


def logs(
    project: Project,
    target: Target,
    services: Sequence[str] = (),
    *,
    follow: bool = False,
    tail: int | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Iterator[LogLine]:
    """The log lines of these services or units, or of all, between two times (seconds since 1970)."""
    session = Session.of_existing(project, target)
    units = units_with_logs(session, services)
    yield from session.backend.logs(units, follow=follow, tail=tail, since=since, until=until)
