"""Plans a resolved spec, and checks the plan against the backend's capabilities."""

from __future__ import annotations

from collections.abc import Sequence

from envctl.backends.base import Backend
from envctl.definition.resolved import Resolved
from envctl.plan.model import Plan
from envctl.planner.make_plan import make_plan
from envctl.planner.selection import inactive_services
from envctl.project import Project
from envctl.reconcile.plan_problems import plan_problems
from envctl.render.templates import render_text


def checked_plan(
    project: Project,
    resolved: Resolved,
    backend: Backend,
    *,
    template_digest: str,
    needed: frozenset[str] | None,
    services: Sequence[str],
) -> Plan:
    """The plan of a resolved spec. SpecError with all its problems.

    `services` are planned whatever their profiles, because the user named them or they exist. Others without a chosen
    profile are left out. `needed` are the services that the user asked for, with their dependencies.
    """
    return make_plan(
        resolved,
        backend=backend.name,
        render_text=render_text,
        also=lambda plan: plan_problems(plan, resolved, backend),
        shared=project.shared,
        template_digest=template_digest,
        needed=needed,
        inactive=_inactive(project, resolved, services),
    )


def _inactive(project: Project, resolved: Resolved, services: Sequence[str]) -> frozenset[str]:
    """The services whose profiles are not chosen."""
    if project.profiles is None:
        return frozenset()
    return inactive_services(resolved, project.profiles, services)
