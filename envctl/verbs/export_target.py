"""`export`: a target as another tool takes it, with a report on every key of the spec. Starts and builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.exports.export_format import Export, ExportedTarget, ExportFormat
from envctl.exports.key_report import key_report
from envctl.plan.artifact import Artifact
from envctl.plan.model import Plan
from envctl.plan.target import Target
from envctl.project import Project
from envctl.render import rendered_files, rendered_folder
from envctl.render.rendered_files import Content
from envctl.session import Session
from envctl.verbs.render import host_bundle, plan_with_volumes_of_images
from envctl.verbs.validate import ignore_plan


def export(
    project: Project,
    export_format: ExportFormat,
    targets: Sequence[Target],
    planned: Callable[[Plan], None] = ignore_plan,
    *,
    service: str = "",
    host_ca: bool = False,
) -> Export:
    """Export targets. `planned` is called with each plan, `service` is the user's choice.

    With `host_ca`, builds of rendered folders trust this host's CA bundle.
    """
    trust = host_bundle(project) if host_ca else None
    exported = [
        replace(_exported(project, export_format, target, planned, trust=trust), service=service)
        for target in targets
    ]
    written = export_format.write(exported)
    return Export(written, key_report(export_format, exported, written))


def write_export(project: Project, export: Export, folder: Path) -> Sequence[str]:
    """Write the files of an export into a folder, as `render` does. Returns notes about its disk."""
    written = export.written
    return rendered_folder.write(written.files, folder, root=project.root, modes=written.modes)


def _exported(
    project: Project,
    export_format: ExportFormat,
    target: Target,
    planned: Callable[[Plan], None],
    *,
    trust: Path | None,
) -> ExportedTarget:
    goal = replace(target, backend=export_format.backend or target.backend)
    session = Session(project, goal)
    planned(session.portable_plan)
    own_plan = plan_with_volumes_of_images(session)

    def render(plan: Plan | None = None) -> tuple[Mapping[str, Content], Mapping[str, int]]:
        artifacts: Sequence[Artifact] = session.backend.artifacts(plan or own_plan, trust=trust)
        files = rendered_files.render(artifacts, templates=project.templates)
        return files, rendered_files.modes(artifacts)

    resolved = project.resolved(goal.environment).on_backend(goal.backend)
    return ExportedTarget(goal, resolved, own_plan, render, project.templates)
