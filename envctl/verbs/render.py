"""`render`: write a folder that works without envctl."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envctl.backends.base import KeepsVolumes
from envctl.errors import EnvctlError
from envctl.host.ca_bundle import bundle
from envctl.plan.artifact import Artifact
from envctl.plan.image_volumes import may_declare, plan_with_volumes
from envctl.plan.model import Plan
from envctl.plan.target import Target
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.render import rendered_files, rendered_folder
from envctl.render.rendered_files import Content
from envctl.session import Session
from envctl.verbs.validate import ignore_plan


def render(project: Project, target: Target, *, host_ca: bool = False) -> Mapping[str, Content]:
    """The files of the rendered folder. With `host_ca`, its builds trust this host's CA bundle."""
    return rendered_files.render(_artifacts(project, target, host_ca), templates=project.templates)


def write_render(
    project: Project,
    target: Target,
    folder: Path,
    *,
    host_ca: bool = False,
    planned: Callable[[Plan], None] = ignore_plan,
) -> tuple[Mapping[str, Content], Sequence[str]]:
    """Write the rendered folder. Returns its files, and notes about its disk. `planned` is called with the plan."""
    artifacts = _artifacts(project, target, host_ca, planned)
    files = rendered_files.render(artifacts, templates=project.templates)
    modes = rendered_files.modes(artifacts)
    return files, rendered_folder.write(files, folder, root=project.root, modes=modes)


def _artifacts(
    project: Project,
    target: Target,
    host_ca: bool,
    planned: Callable[[Plan], None] = ignore_plan,
) -> Sequence[Artifact]:
    session = Session(project, target)
    planned(session.portable_plan)
    trust = host_bundle(project) if host_ca else None
    return session.backend.artifacts(plan_with_volumes_of_images(session), trust=trust)


def host_bundle(project: Project) -> Path:
    """The CA bundle of this host. EnvctlError if it has none of its own."""
    trust = bundle(project.environ)
    if trust is None:
        raise EnvctlError(
            "this host has no CA bundle of its own",
            hint="leave --with-host-ca out, or name a bundle in ENVCTL_CA_BUNDLE",
        )
    return trust


def plan_with_volumes_of_images(session: Session) -> Plan:
    """The plan, with the volumes that images declare added to its units. Notes images that are unknown.

    Asks an engine only about images that are not in the catalogue.
    """
    plan, backend = session.portable_plan, session.backend
    units = [unit for unit in plan.units if may_declare(unit.source)]
    if not units or not isinstance(backend, KeepsVolumes):
        return plan
    try:
        volumes = backend.image_volumes(replace(plan, units=tuple(units)))
    except EnvctlError:
        volumes = {}
    for unit in units:
        if volumes.get(unit.name) is None:
            text = "its image is not available, so volumes that it declares get no names here"
            session.report(Progress(unit.name, Stage.NOTE, text))
    return plan_with_volumes(plan, volumes)
