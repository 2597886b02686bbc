"""Finds out what holds a port that a unit needs: a unit of this or another checkout, or any other process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from envctl.backends import backend_names
from envctl.backends.common.port_conflict import PortTakenError, port_taken
from envctl.errors import EnvctlError
from envctl.host.port_records import other_records
from envctl.host.port_use import listener
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session


def explained(session: Session, error: EnvctlError) -> EnvctlError:
    """The error, extended by the name of the port's holder if one is found. Asks other engines."""
    if not isinstance(error, PortTakenError) or error.by:
        return error
    for project, target, place in (*_own_targets(session), *_elsewhere(session, error.port)):
        with suppress(EnvctlError):
            for name, state in _observe(project, target).units.items():
                if any(address.endswith(f":{error.port}") for address in state.addresses):
                    return port_taken(
                        error.unit,
                        error.port,
                        by=f"{name} of {target}{place}",
                        remedy=f"`envctl down {target}`{place} frees it",
                    )
    if process := listener(error.port):
        return port_taken(error.unit, error.port, by=process, remedy="end it")
    return error


def _observe(project: Project, target: Target) -> Observed:
    return Session(project, target, allow_invalid_spec=True).backend.observe()


def _own_targets(session: Session) -> Iterator[tuple[Project, Target, str]]:
    """All other targets of the project, starting with the same environment on other backends."""
    first = session.target.environment
    others = (name for name in session.project.environments() if name != first)
    for environment in (first, *others):
        for backend in backend_names():
            if (environment, backend) != (first, session.backend.name):
                yield session.project, Target(environment, backend), ""


def _elsewhere(session: Session, port: int) -> Iterator[tuple[Project, Target, str]]:
    """The targets of other checkouts that have used the port."""
    root = session.project.root
    for other in other_records(root, session.id):
        if other.root != root and (
            port in other.record.fixed or port in other.record.chosen.values()
        ):
            project = Project(other.root, environ=session.project.environ)
            yield project, Target.parse(other.target), f" in {other.root}"
