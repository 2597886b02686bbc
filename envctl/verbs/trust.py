"""`trust`: what of this host a project uses."""

from __future__ import annotations

from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.trust.host_access import HostAccess


def host_access(
    project: Project, target: Target
) -> tuple[tuple[HostAccess, ...], tuple[HostAccess, ...]]:
    """What bringing a target up would run, read or show of this host; and what of that is not approved yet."""
    access = Session(project, target).access
    return access.accesses, access.unapproved
