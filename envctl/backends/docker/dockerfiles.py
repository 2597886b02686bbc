"""Turns a build into a Dockerfile and its context.

`up` and `render` use the same functions, so that both build the same image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.step_views import view
from envctl.backends.docker.quoting import FUNCTIONS
from envctl.plan.digest import digest
from envctl.plan.model import Base, Build, CopyFromStage, RunCommand, Step
from envctl.plan.platforms import plain_name

NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})
_RESERVED: Final = re.compile(r"context|scratch|stage-\d+")
"""Names that mean something else to the builder, which calls stages without a name stage-0, stage-1, …"""
MEDIA: Final = "/media"
"""The mount point of files for build commands."""
TRUSTING: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "SSL_CERT_FILE",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "NODE_EXTRA_CA_CERTS",
            "NPM_CONFIG_CAFILE",
        ),
        f"{MEDIA}/ca.crt",
    ),
    "APT_CONFIG": f"{MEDIA}/apt.conf",
}
"""Environment variables that make programs trust the mounted certificates."""
Render = Callable[[str, Mapping[str, Any]], str]


def dockerfile(
    build: Build,
    *,
    up: bool,
    render: Render,
    trust: bool = False,
    build_inputs: BuildInputs = NO_BUILD_INPUTS,
    bases: Mapping[str, str] = NO_NAMES,
) -> str:
    """The Dockerfile of a build, for the context from `context_files`.

    With `up` it is for BuildKit: caches and the trusted certificates are mounted. Otherwise it is portable, without
    mounts and here-documents. With `trust` the context must have `trust_files`, too; the portable file then copies them
    in, and the image keeps them in a layer, but not in its files. `build_inputs` are for BuildKit only. `bases` are
    the names of base images for the engine, where they differ from their own.
    """
    context = dockerfile_context(build, up=up, trust=trust, build_inputs=build_inputs, bases=bases)
    return render("docker/Dockerfile.j2", context)


def dockerfile_context(
    build: Build,
    *,
    up: bool,
    trust: bool = False,
    build_inputs: BuildInputs = NO_BUILD_INPUTS,
    bases: Mapping[str, str] = NO_NAMES,
) -> Mapping[str, Any]:
    """The template variables of the Dockerfile."""
    names = stage_names(build)

    def part(built: Build, name: str = "") -> Mapping[str, Any]:
        users = any(isinstance(step, RunCommand) and step.user != "root" for step in built.steps)
        return {
            "name": name,
            "base": bases.get(built.base.image) or _base_name(built.base, up=up),
            "platform": built.platform,
            "apt_cache": f"apt-{digest(built.base)}",
            "needs_root": users or not built.base.name,
            "steps": [_view(step, names) for step in built.steps],
        }

    stages = [part(stage.build, names[stage.build.digest]) for stage in build.stages]
    image = part(build)
    return {
        **FUNCTIONS,
        # Own templates of projects may use the values of the image without `parts`.
        **image,
        "parts": [*stages, image],
        "up": up,
        "trust": trust,
        "settings": list({**(TRUSTING if trust else {}), **build_inputs.env}.items()),
        "mounted": trust or bool(build_inputs.files),
    }


def stage_names(build: Build) -> Mapping[str, str]:
    """The names of stages in the Dockerfile, by digest. Two stages of a build may have one name in the spec."""
    # FROM takes the name of a stage for that stage, even if an image of that name is meant.
    used_names = {plain_name(base.image)[0] for base in build.bases}
    names: dict[str, str] = {}
    for stage in build.stages:
        digest_of_build = stage.build.digest
        is_taken = stage.name in used_names or _RESERVED.fullmatch(stage.name)
        name = f"{stage.name}-{digest_of_build[:12]}" if is_taken else stage.name
        names[digest_of_build] = name
        used_names.add(name)
    return names


def _view(step: Step, names: Mapping[str, str]) -> Mapping[str, Any]:
    stage = names[step.digest] if isinstance(step, CopyFromStage) else ""
    return {**view(step), "stage": stage}


def _base_name(base: Base, *, up: bool) -> str:
    """The name of a base image. Without envctl, a base has only its plain name. A base from a mirror snapshot has none."""
    return base.image if up or base.snapshot else plain_name(base.image)[0]


def trust_files(bundle: str) -> Mapping[str, str]:
    """The files, by path in the context, that make commands trust a bundle of CA certificates (PEM)."""
    return {
        "trust/ca.crt": bundle,
        "trust/apt.conf": 'Acquire::https::CaInfo "/media/ca.crt";\n',
    }
