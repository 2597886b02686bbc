"""The rendered folder: a Compose file, Dockerfiles and their contexts. It works without envctl."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.step_views import (
    ALL_IS_SENT,
    DOCKERIGNORE,
    ContextFile,
    context_files,
    covered,
    own_context,
    own_dockerfile,
    protected,
    secret_variable,
    slug,
)
from envctl.backends.docker import options
from envctl.backends.docker.containers import LOGS, restart_policy
from envctl.backends.docker.dockerfiles import dockerfile_context, trust_files
from envctl.backends.docker.quoting import FUNCTIONS
from envctl.plan.artifact import Artifact
from envctl.plan.build_secrets import build_secrets
from envctl.plan.image_volumes import parted
from envctl.plan.model import (
    Build,
    BuildSecret,
    Condition,
    DockerfileBuild,
    Hooks,
    Plan,
    ReadyImage,
    Secret,
    Source,
    Unit,
)
from envctl.plan.secret_templates import parts

_CONDITIONS: Final[Mapping[Condition, str]] = {
    Condition.STARTED: "service_started",
    Condition.HEALTHY: "service_healthy",
    Condition.COMPLETED: "service_completed_successfully",
}


def artifacts(plan: Plan, *, trust: Path | None = None) -> tuple[Artifact, ...]:
    """The files of the rendered folder.

    With `trust`, a bundle of CA certificates, its builds trust these, as needed behind an inspecting proxy. The images
    then keep the bundle, which is public, in a layer.
    """
    names = _dockerfile_names(plan)
    files: dict[str, Artifact] = {
        "compose.yaml": Artifact("compose.yaml", "docker/compose.yaml.j2", _compose(plan, names)),
        "README.md": Artifact("README.md", "docker/README.md.j2", _readme(plan, trust)),
    }
    for digest, build in plan.builds().items():
        for artifact in _build_artifacts(build, names[digest], trust=trust is not None):
            files[artifact.path] = artifact
    if trust:
        texts = trust_files(trust.read_text(encoding="utf-8", errors="replace"))
        files |= {path: _text(path, text) for path, text in texts.items()}
    return tuple(files[path] for path in sorted(files))


def _dockerfile_names(plan: Plan) -> Mapping[str, str]:
    """Each build's Dockerfile, named after the first unit made from it."""
    names: dict[str, str] = {}
    for unit in plan.units:
        if not isinstance(unit.source, ReadyImage):
            names.setdefault(unit.source.digest, _dockerfile_name(unit))
    return names


def _dockerfile_name(unit: Unit) -> str:
    return f"{unit.name}.Dockerfile"


def _build_artifacts(
    build: Build | DockerfileBuild, name: str, *, trust: bool
) -> Iterator[Artifact]:
    if isinstance(build, DockerfileBuild):
        if build.text:
            yield _text(name, build.text)
        else:
            yield _copy(name, replace(own_dockerfile(build), mode=0o644))
        for path, file in own_context(build).items():
            yield _copy(f"{_own_context(name)}/{path}", file)
        if DOCKERIGNORE in own_context(build):
            yield _text(f"{name}{DOCKERIGNORE}", ALL_IS_SENT)
        return
    context = dockerfile_context(build, up=False, trust=trust)
    yield Artifact(name, "docker/Dockerfile.j2", context)
    for path, staged in context_files(build).items():
        if staged.text is not None:
            yield _text(path, staged.text, staged.mode)
        else:
            yield _copy(path, staged)


def _copy(path: str, file: ContextFile) -> Artifact:
    return Artifact(path, copy_of=file.source, mode=file.mode, entry=file.entry)


def _own_context(name: str) -> str:
    """The folder for the context of a project's own Dockerfile."""
    return f"context/{slug(name.removesuffix('.Dockerfile'))}"


def _text(path: str, text: str, mode: int = 0o644) -> Artifact:
    return Artifact(path, "docker/text.j2", {**FUNCTIONS, "text": text}, mode=mode)


# --- template variables ---------------------------------------------------------------------


def _compose(plan: Plan, names: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        **FUNCTIONS,
        "name": _project_name(f"{plan.scope.project}-{plan.scope.environment}"),
        "root": plan.scope.root,
        "units": [_unit(plan, unit, names) for unit in plan.units],
        "logs": {"driver": LOGS["Type"], "options": sorted(LOGS["Config"].items())},
        "volumes": [_volume(name) for name in plan.volumes()],
        "secrets": _secrets(plan),
    }


def _project_name(name: str) -> str:
    """A project name that Compose accepts."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "project"


def _unit(plan: Plan, unit: Unit, names: Mapping[str, str]) -> Mapping[str, Any]:
    run, process = unit.run, unit.run.process
    networked = run.options.get("network_mode") != "none"
    return {
        "name": unit.name,
        "image": _image(plan, unit.source),
        "platform": run.platform,
        "built": not isinstance(unit.source, ReadyImage),
        "build": _build(unit, names),
        "argv": process.argv,
        "user": process.user,
        "workdir": process.workdir,
        "env": sorted(process.env.items()),
        "wrapper": _wrapper(unit),
        "host_env": sorted(_host_env(unit).items()),
        "capabilities": process.capabilities,
        "ports": run.ports,
        "mounts": (*run.mounts, *protected(run.mounts)),
        "label": options.label(run.options),
        "covered": covered(run.mounts),
        "volumes": [replace(volume, name=_volume(volume.name)) for volume in run.volumes],
        "secrets": run.secrets,
        "probe": _probe(unit),
        "hooks": _hooks(unit),
        "depends_on": _dependencies(plan, unit),
        "aliases": run.aliases or (unit.service,),
        "restart": restart_policy(unit),
        "networked": networked,
        "hostname": unit.name if networked and "hostname" not in run.options else "",
        "options": list(options.compose(run.options).items()),
        "cpus": run.resources.cpus,
        "memory": run.resources.memory,
    }


def _volume(name: str) -> str:
    """The name of a volume in the Compose file."""
    parts = parted(name)
    return f"{parts[0]}.{slug(parts[1])}" if parts else name


def _image(plan: Plan, source: Source) -> str:
    """The tag that envctl gives to a build's image, so that Compose uses an existing image."""
    if isinstance(source, ReadyImage):
        return source.image
    return f"envctl/{plan.scope.project}:{source.digest}"


def _build(unit: Unit, names: Mapping[str, str]) -> Mapping[str, Any] | None:
    """How to build the image. Only the first unit with that image gets this, so that it is built once."""
    build, name = unit.source, _dockerfile_name(unit)
    if isinstance(build, ReadyImage) or names[build.digest] != name:
        return None
    if isinstance(build, Build):
        secrets = [secret.name for secret in build_secrets(build)]
        return {
            "context": ".",
            "dockerfile": name,
            "target": "",
            "args": (),
            "secrets": secrets,
        }
    return {
        "context": _own_context(name),
        "dockerfile": f"../../{name}",
        "target": build.target,
        "args": sorted(build.args.items()),
        "secrets": (),
    }


def _probe(unit: Unit) -> Mapping[str, Any] | None:
    from envctl.backends.common import probe

    is_built = isinstance(unit.source, Build)
    declared = probe.with_secrets(unit.run) if is_built else unit.run.probe
    if declared is None:
        return None
    return {
        "test": ("CMD", *probe.test(declared)),
        "interval": declared.interval,
        "timeout": declared.timeout,
        "retries": declared.retries,
        "start_period": declared.start_period,
    }


def _wrapper(unit: Unit) -> Sequence[str]:
    """The entrypoint that reads variables with secrets; () without such variables."""
    is_built = isinstance(unit.source, Build)
    return wrapped(unit.run, ()) if is_built and unit.run.process.secret_env else ()


def _host_env(unit: Unit) -> Mapping[str, Sequence[tuple[str, str]]]:
    """For a unit with a ready image, its variables with secrets, as parts that are texts or variables of the host.

    The image's entrypoint is only known to the engine, so no wrapper can be put in front of it here.
    """
    if isinstance(unit.source, Build):
        return {}
    variables = {secret.name: secret_variable(secret) for secret in unit.run.secrets}
    return {
        name: [(text, variables.get(secret, "")) for text, secret in parts(template)]
        for name, template in unit.run.process.secret_env.items()
    }


def _hooks(unit: Unit) -> Mapping[str, Sequence[Sequence[str]]]:
    """The hooks by Compose's names for them. With variables that are made of secrets, they read these first."""
    reads_secrets = _wrapper(unit) != ()
    by_name = {"post_start": unit.hooks.after_start, "pre_stop": unit.hooks.before_stop}
    return {
        name: [wrapped(unit.run, argv) if reads_secrets else argv for argv in hooks]
        for name, hooks in by_name.items()
    }


def _dependencies(plan: Plan, unit: Unit) -> Sequence[tuple[str, str]]:
    """The units to wait for (each replica of a service), and the condition."""
    return [
        (needed.name, _CONDITIONS[condition])
        for service, condition in unit.depends_on.items()
        for needed in plan.units
        if needed.service == service
    ]


def _secrets(plan: Plan) -> Sequence[Mapping[str, str]]:
    used: dict[str, Secret | BuildSecret] = {}
    for unit in plan.units:
        used |= {secret.name: secret for secret in build_secrets(unit.source)}
        used |= {secret.name: secret for secret in unit.run.secrets}
    return [{"name": name, "variable": secret_variable(used[name])} for name in sorted(used)]


def _readme(plan: Plan, trust: Path | None) -> Mapping[str, Any]:
    return {
        **FUNCTIONS,
        "project": plan.scope.project,
        "environment": plan.scope.environment,
        "root": plan.scope.root,
        "secrets": _secrets(plan),
        "build_secrets": any(build_secrets(unit.source) for unit in plan.units),
        "addresses": [
            {"unit": unit.name, "at": f"{port.address}:{port.host}"}
            for unit in plan.units
            for port in unit.run.ports
            if port.host
        ],
        "open_ports": [
            {"unit": unit.name, "number": port.container}
            for unit in plan.units
            for port in unit.run.ports
            if not port.host
        ],
        "hooks": any(unit.hooks != Hooks() for unit in plan.units),
        "mounts": any(unit.run.mounts for unit in plan.units),
        "trust": trust is not None,
    }
