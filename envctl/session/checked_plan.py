"""Plans a resolved spec, and checks the plan against what a backend can do."""

from __future__ import annotations

from envctl.backends.base import Backend
from envctl.definition.resolved import Resolved
from envctl.plan.model import Plan
from envctl.planner.make_plan import make_plan
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
    inactive: frozenset[str],
) -> Plan:
    """The plan of a resolved spec, of which the services in `needed` are asked for and those `inactive` left out. SpecError with all its problems."""
    return make_plan(
        resolved,
        backend=backend.name,
        render_text=render_text,
        also=lambda plan: plan_problems(plan, resolved, backend),
        shared=project.shared,
        template_digest=template_digest,
        needed=needed,
        inactive=inactive,
    )
