"""Writes the base, an overlay for each environment, the builds of its images, and how to use all this."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from envctl.backends.common.step_views import secret_variable
from envctl.exports.export_format import ExportedFiles, ExportedTarget, ExportFormat
from envctl.exports.kubernetes.key_rules import RULES
from envctl.exports.kubernetes.kustomize_overlays import folder_files, overlay_files
from envctl.exports.kubernetes.names import image_name, label_name, secret_name
from envctl.exports.kubernetes.pod import user_numbers
from envctl.exports.kubernetes.resources import resources
from envctl.plan.model import Build, ReadyImage, Unit
from envctl.render.rendered_files import Content

_NOT_FOR_BUILDS: Final = frozenset({"compose.yaml", "README.md"})


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The first target is the base; each has an overlay, so that none is named differently from the others."""
    by_environment = {target.environment: resources(target.plan) for target in targets}
    base = by_environment[targets[0].environment]
    files: dict[str, Content] = dict(folder_files("base", base))
    modes: dict[str, int] = {}
    for environment, needed in by_environment.items():
        files |= overlay_files(f"overlays/{environment}", "../../base", base, needed)
    for target in targets:
        image_files, image_modes = _images(target)
        files |= image_files
        modes |= image_modes
    files["README.md"] = "\n".join(_readme(targets)).encode("utf-8")
    return ExportedFiles(files, modes, _places(targets))


def _places(targets: Sequence[ExportedTarget]) -> Mapping[str, str]:
    """The folders of services; those of an environment begin with its name."""
    places = {"": "README.md"}
    for target in targets[1:]:
        for unit in target.plan.units:
            places[f"{target.environment}/{unit.service}"] = f"overlays/{target.environment}"
    return places | {unit.service: "base" for unit in targets[0].plan.units}


def _images(target: ExportedTarget) -> tuple[Mapping[str, Content], Mapping[str, int]]:
    """The Dockerfiles and contexts of what is built, one Dockerfile for each service."""
    folder = f"images/{target.environment}"
    rendered, modes = target.render()
    if not target.plan.builds():
        return {}, {}
    files = {
        f"{folder}/{path}": content
        for path, content in rendered.items()
        if path not in _NOT_FOR_BUILDS and not path.endswith(".Dockerfile")
    }
    for unit in _built_units(target):
        text = rendered[_rendered_dockerfile(target, unit)]
        if isinstance(text, bytes) and isinstance(unit.source, Build):
            text += _user_line(unit)
        files[f"{folder}/{unit.service}.Dockerfile"] = text
    files[f"{folder}/build.sh"] = _build_script(target)
    return files, {
        f"{folder}/{path}": mode for path, mode in modes.items() if f"{folder}/{path}" in files
    }


def _built_units(target: ExportedTarget) -> Iterator[Unit]:
    for unit in target.plan.units:
        if unit.replica == 1 and not isinstance(unit.source, ReadyImage):
            yield unit


def _rendered_dockerfile(target: ExportedTarget, unit: Unit) -> str:
    """The Dockerfile of a build, which has the name of the first unit that is made from it."""
    assert not isinstance(unit.source, ReadyImage)
    first = next(
        other
        for other in target.plan.units
        if not isinstance(other.source, ReadyImage) and other.source.digest == unit.source.digest
    )
    return f"{first.name}.Dockerfile"


def _user_line(unit: Unit) -> bytes:
    """USER, for a user whose number only the image knows."""
    user = unit.run.process.user or ""
    is_unknown = bool(user) and user_numbers(unit) is None
    return f"USER {user}\n".encode() if is_unknown and re.fullmatch(r"[\w.:-]+", user) else b""


def _readme(targets: Sequence[ExportedTarget]) -> Iterator[str]:
    project = targets[0].plan.scope.project
    yield f"# {project} on Kubernetes\n"
    yield "Made by `envctl export kubernetes`. `base` is the environment"
    yield f"{targets[0].environment}; each folder in `overlays` makes another environment of it.\n"
    yield "1. Build and push the images: `sh images/ENVIRONMENT/build.sh` builds them, and pushes them with `REGISTRY/` before their"
    yield "   names if that variable is set. Set the same names in the overlay: `kustomize edit set image NAME=REGISTRY/NAME:TAG`.\n"
    secrets = {
        secret.name: secret_variable(secret)
        for target in targets
        for unit in target.plan.units
        for secret in unit.run.secrets
    }
    if secrets:
        name = secret_name(targets[0].plan)
        words = [f'--from-literal={key}="${variable}"' for key, variable in sorted(secrets.items())]
        yield "2. Make the Secret. Its values are in no file here.\n"
        yield "```sh"
        yield f"kubectl create secret generic {name} {' '.join(words)}"
        yield "```\n"
    yield "3. Apply an environment.\n"
    yield "```sh"
    yield f"kubectl apply -k overlays/{targets[0].environment}"
    yield "```"
    yield ""


def _build_script(target: ExportedTarget) -> bytes:
    """Builds the images of an environment, and pushes them if there is a registry."""
    lines = ["#!/bin/sh", "set -eu", 'cd "$(dirname "$0")"', "registry=${REGISTRY:+$REGISTRY/}"]
    for unit in _built_units(target):
        name = image_name(target.plan, unit)
        lines.append(
            f'docker build -t "${{registry}}{name}" -f {unit.service}.Dockerfile {_context(unit)}'
        )
        lines.append(f'[ -z "$registry" ] || docker push "${{registry}}{name}"')
    return ("\n".join(lines) + "\n").encode("utf-8")


def _context(unit: Unit) -> str:
    return "." if isinstance(unit.source, Build) else f"context/{label_name(unit.name)}"


KUBERNETES: Final = ExportFormat(
    "kubernetes",
    "a kustomize base, and an overlay for each environment",
    "docker",
    RULES,
    write,
    has_overlays=True,
    next_commands=("kubectl kustomize overlays/ENVIRONMENT   # see README.md",),
)
