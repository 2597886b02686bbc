"""The problems of a plan on its backend."""

from __future__ import annotations

from collections.abc import Sequence

from envctl.backends import backend_names, is_backend
from envctl.backends.base import Backend
from envctl.definition.names import ROOT_FILE
from envctl.definition.resolved import Resolved
from envctl.errors import Place, Problem
from envctl.plan.model import Plan
from envctl.planner.base_names import machine_problems
from envctl.reconcile.run_hooks import unsupported
from envctl.suggest import did_you_mean


def plan_problems(plan: Plan, resolved: Resolved, backend: Backend) -> Sequence[Problem]:
    """Return all problems of a plan: unknown options, bases, hooks, and what the backend itself reports."""
    needs = machine_problems(plan, backend.name) if backend.capabilities.installs else ()
    return (
        *_unknown_options(resolved),
        *needs,
        *unsupported(plan, backend),
        *backend.problems(plan),
    )


def _unknown_options(resolved: Resolved) -> Sequence[Problem]:
    """Options of backends that do not exist, each reported once."""
    problems: dict[Problem, None] = {}
    for name, service in resolved.data["services"].items():
        for backend in service["options"]:
            if not is_backend(backend):
                where = resolved.where("services", name, "options", backend)
                suggestion = did_you_mean(backend, backend_names())
                hint = f"{suggestion}; an example: options: {{vagrant: {{layout: single}}}}"
                place = where or Place(ROOT_FILE, 1, 1)
                problems[Problem(place, f"no such backend: {backend!r}", hint=hint)] = None
    return tuple(problems)
