"""`trust`: what a project uses on this host."""

from __future__ import annotations

from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.trust.host_access import HostAccess


def host_access(
    project: Project, target: Target
) -> tuple[tuple[HostAccess, ...], tuple[HostAccess, ...]]:
    """What bringing up a target would run, read or expose on this host, and which of it is not approved yet."""
    access = Session(project, target).access
    return access.accesses, access.unapproved
