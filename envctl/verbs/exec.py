"""`exec`: run a command in a unit."""

from __future__ import annotations

from envctl.backends.base import Execution, NotRunningError
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session


def execute(project: Project, target: Target, unit: str, execution: Execution) -> int:
    """Run a command in a running unit and return its exit code."""
    session = Session.of_existing(project, target)
    try:
        return session.backend.exec(unit, execution)
    except NotRunningError:
        from envctl.verbs.running_units import require_running

        # Looking for what exists instead takes time, so do it only after a failure.
        require_running(session, unit)
        raise
