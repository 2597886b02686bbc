"""`top`: the processes of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envctl.backends.base import ListsProcesses, UnitProcess
from envctl.backends.common.parallel import all_at_once
from envctl.plan.model import Build, CreateUser, Plan
from envctl.plan.state import Status
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.running_units import named_units, nothing_up, require_running
from envctl.verbs.supported import unsupported


def top(
    project: Project, target: Target, services: Sequence[str] = ()
) -> Mapping[str, Sequence[UnitProcess]]:
    """The processes of these services or units, or of all running units, by unit."""
    session = Session.of_existing(project, target)
    backend = session.backend
    if not isinstance(backend, ListsProcesses):
        raise unsupported(backend, "top")
    observed = backend.observe()
    names = [
        name
        for name in sorted(named_units(session, observed, services))
        if observed.units[name].status is Status.RUNNING
    ]
    if not names and services:
        require_running(session, services[0])
    if not names:
        raise nothing_up(session, f"no unit of {target.environment} is running")
    return dict(zip(names, all_at_once(backend.processes, names), strict=True))


def user_names(project: Project, target: Target) -> Mapping[int, str]:
    """The names of users by number, where the spec sets the number."""
    session = Session.of_existing(project, target)
    session.include_existing()
    plan: Plan | None = session.plan_or_none
    users = {
        step.uid: step.name
        for unit in (plan.units if plan else ())
        if isinstance(unit.source, Build)
        for step in unit.source.steps
        if isinstance(step, CreateUser)
    }
    return {**users, 0: "root"}
