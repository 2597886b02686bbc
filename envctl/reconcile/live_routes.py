"""Lists the effect of a change of each project file, for `watch --explain`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from envctl.backends.common.step_views import KINDS, view
from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import (
    Build,
    CopyFiles,
    CopyFromStage,
    DockerfileBuild,
    Step,
    Unit,
    WriteFile,
)
from envctl.reconcile.live_code import USES, first_live


@dataclass(frozen=True, slots=True)
class Route:
    """The effect of a change of `files` on a unit. `where` is the place in the spec that causes it."""

    files: str
    unit: str
    effect: str
    why: str
    where: Place | None


def routes(unit: Unit) -> Iterator[Route]:
    """Yield the effects of all files that a unit copies, mounts or is restarted on."""
    source = unit.source
    if isinstance(source, DockerfileBuild):
        why = "any instruction of the Dockerfile may use it"
        for path in dict.fromkeys((source.tree.origin, source.dockerfile)):
            yield Route(path, unit.name, "rebuilt", why, source.where)
    if isinstance(source, Build):
        for stage in source.stages:
            for step in stage.build.steps:
                if isinstance(step, CopyFiles | WriteFile):
                    why = f"files of the stage {stage.name} are copied from it"
                    yield Route(_files(step), unit.name, "rebuilt", why, step.where)
        for index, step in enumerate(source.steps):
            if isinstance(step, CopyFiles | WriteFile):
                yield _of_step(
                    unit, step, source.steps[index + 1 :], index >= first_live(source.steps)
                )
    for mount in unit.run.mounts:
        where = unit.origins.get("mounts", unit.where)
        yield Route(mount.source, unit.name, "visible", f"it is mounted at {mount.target}", where)
    for path in unit.restart_on:
        yield Route(path, unit.name, "restarted", "`restart_on` names it", unit.where)


def _of_step(
    unit: Unit, step: CopyFiles | WriteFile, later: tuple[Step, ...], is_live: bool
) -> Route:
    is_copy = isinstance(step, CopyFiles)
    files = _files(step)
    target: str = view(step)["target"]
    if not is_live:
        use = next(step for step in later if isinstance(step, USES))
        at = f" ({use.where})" if use.where else ""
        verb = "replace" if isinstance(use, CopyFromStage) else "use"
        why = f"a later `{KINDS[type(use)]}`{at} may {verb} it"
    elif unit.hides(target.rstrip("/")):
        why = f"a volume or mount is at {target}"
    else:
        return Route(
            files,
            unit.name,
            "synced",
            f"{'copied' if is_copy else 'written'} to {target}",
            step.where,
        )
    return Route(files, unit.name, "rebuilt", why, step.where)


def _files(step: CopyFiles | WriteFile) -> str:
    return step.tree.origin if isinstance(step, CopyFiles) else "a template"
