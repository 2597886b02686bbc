"""`diff`: how two targets differ. Asks no engine."""

from __future__ import annotations

from collections.abc import Mapping

from envctl.definition.differences import Difference, differences
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.results import BuildPair


def diff(
    project: Project, before: Target, after: Target
) -> tuple[tuple[Difference, ...], Mapping[str, BuildPair]]:
    """The differences between the specs of two targets, and by unit whether both run the same build."""
    targets = (before, after)
    plans = [Session(project, target).plan for target in targets]
    specs = [project.resolved(target.environment).on_backend(target.backend) for target in targets]
    left, right = ({unit.name: unit.source for unit in plan.units} for plan in plans)
    builds = {
        name: BuildPair.of(left.get(name), right.get(name))
        for name in dict.fromkeys([*left, *right])
    }
    return differences(*specs), builds
