"""`validate`: check environments, including what their backends support."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envctl import definition
from envctl.definition.names import no_environments
from envctl.errors import Problem, SpecError
from envctl.plan.model import Plan
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.acceptances import misnamed_acceptances


def ignore_plan(_plan: Plan) -> None:
    """Ignore a plan."""


def validate(
    project: Project,
    environments: Sequence[str] = (),
    *,
    planned: Callable[[Plan], None] = ignore_plan,
) -> tuple[str, ...]:
    """Check these environments, or all, and return their names. SpecError with the problems of all.

    `planned` is called with each plan.
    """
    project = project.with_all_profiles()
    problems: dict[Problem, None] = {}
    names = tuple(environments) or project.environments()
    if not names:
        definition.load_base(project.root, sets=project.sets, environ=project.environ)
        raise no_environments(project.root)
    if len(names) > 1:
        project = project.with_shared_services()
    accepting = False
    for name in names:
        session = Session(project, Target.parse(name))
        try:
            planned(session.plan)
            accepting |= bool(session.resolved and session.resolved.data["accept"])
        except SpecError as error:
            problems.update(dict.fromkeys(error.problems))
            accepting = True
    if accepting:
        checked = [Target.parse(name).environment for name in names]
        problems.update(dict.fromkeys(misnamed_acceptances(project, checked)))
    if problems:
        raise SpecError(tuple(problems))
    return names
