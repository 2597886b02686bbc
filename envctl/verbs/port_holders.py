"""Who of this project holds a port of the host that a unit cannot have: another environment, or the same on another backend."""

from __future__ import annotations

from contextlib import suppress

from envctl.backends import backend_names
from envctl.backends.common.port_conflict import PortTakenError, port_taken
from envctl.errors import EnvctlError
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session


def explained(session: Session, error: EnvctlError) -> EnvctlError:
    """The error, or one that names the project's own unit which has the port; other engines are asked for it."""
    if not isinstance(error, PortTakenError) or error.by:
        return error
    for target in _others(session):
        with suppress(EnvctlError):
            observed = _observe(session.project, target)
            for name, state in observed.units.items():
                if any(address.endswith(f":{error.port}") for address in state.addresses):
                    remedy = f"`envctl down {target}` frees it"
                    return port_taken(
                        error.unit, error.port, by=f"{name} of {target}", remedy=remedy
                    )
    return error


def _observe(project: Project, target: Target) -> Observed:
    return Session(project, target, allow_invalid_spec=True).backend.observe()


def _others(session: Session) -> list[Target]:
    """All other targets of the project, those of the same environment first."""
    first = session.target.environment
    others = (name for name in session.project.environments() if name != first)
    return [
        Target(environment, backend)
        for environment in (first, *others)
        for backend in backend_names()
        if (environment, backend) != (first, session.backend.name)
    ]
