"""Says which stages cannot be built in a machine: those with another base than the machine's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from envctl.errors import EnvctlError, Problem
from envctl.plan.model import Base, Build, Source

IN_A_MACHINE: Final = (
    "let a container engine build it (`options: {vagrant: {build: image}}`), give both the same base,"
    " or use the Docker backend"
)


def itself(base: Base) -> object:
    """Return the whole base, so that only equal bases are the same."""
    return base


def stage_problems(
    service: str,
    source: Source,
    *,
    hint: str = IN_A_MACHINE,
    key: Callable[[Base], object] = itself,
) -> Iterator[Problem]:
    """Yield a problem for each stage with another base in the build of a service, which a machine does.

    Bases are the same if their `key` is equal.
    """
    if not isinstance(source, Build):
        return
    for stage in source.stages:
        where = stage.build.base.where or stage.build.where or source.where
        if where and key(stage.build.base) != key(source.base):
            yield Problem(
                where,
                f"{service}: the stage {stage.name} has the base {stage.build.base.image}, the service {source.base.image}:"
                " a build in a machine has one base",
                hint=hint,
            )


def require_one_base(
    service: str, source: Source, *, hint: str, key: Callable[[Base], object] = itself
) -> None:
    """Raise EnvctlError if a stage of a service's build has another base."""
    for problem in stage_problems(service, source, hint=hint, key=key):
        raise EnvctlError(problem.message, hint=problem.hint, where=problem.where)
