"""Says where builds with stages are not supported: machines that do the build themselves."""

from __future__ import annotations

from collections.abc import Iterator

from envctl.errors import EnvctlError, Problem
from envctl.plan.model import Build, Source

_HINT = "let a container engine build it (`options: {vagrant: {build: image}}`), or use the Docker backend"


def stage_problems(service: str, source: Source) -> Iterator[Problem]:
    """Yield a problem if the build of a service, which a machine does, has stages."""
    stage = next(iter(source.stages), None) if isinstance(source, Build) else None
    where = stage and (stage.build.where or source.where)
    if stage and where:
        yield Problem(
            where,
            f"{service}: stages are not supported yet by builds in a machine (provisioning)",
            hint=_HINT,
        )


def require_no_stages(service: str, source: Source, *, hint: str = _HINT) -> None:
    """EnvctlError if the build of a service has stages."""
    for problem in stage_problems(service, source):
        raise EnvctlError(problem.message, hint=hint, where=problem.where)
