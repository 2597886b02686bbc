"""Turns a build into a Dockerfile and its context.

`up` and `render` use the same functions, so that both build the same image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.step_views import view
from envctl.backends.docker.quoting import FUNCTIONS
from envctl.plan.digest import digest
from envctl.plan.model import Build, RunCommand
from envctl.plan.platforms import plain_name

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
    base: str = "",
) -> str:
    """The Dockerfile of a build, for the context from `context_files`.

    With `up` it is for BuildKit: caches and the trusted certificates are mounted. Otherwise it is portable, without
    mounts and here-documents. With `trust` the context must have `trust_files`, too; the portable file then copies them
    in, and the image keeps them in a layer, but not in its files. `build_inputs` are for BuildKit only. `base` is the
    name of the build's base, if it differs from the base's own name.
    """
    context = dockerfile_context(build, up=up, trust=trust, build_inputs=build_inputs)
    return render("docker/Dockerfile.j2", {**context, **({"base": base} if base else {})})


def dockerfile_context(
    build: Build, *, up: bool, trust: bool = False, build_inputs: BuildInputs = NO_BUILD_INPUTS
) -> Mapping[str, Any]:
    """The template variables of the Dockerfile."""
    users = any(isinstance(step, RunCommand) and step.user != "root" for step in build.steps)
    return {
        **FUNCTIONS,
        # Without envctl, a base has only its plain name. A base from a mirror snapshot has no plain name.
        "base": build.base.image if up or build.base.snapshot else plain_name(build.base.image)[0],
        "platform": build.platform,
        "apt_cache": f"apt-{digest(build.base)}",
        "needs_root": users or not build.base.name,
        "steps": [view(step) for step in build.steps],
        "up": up,
        "trust": trust,
        "settings": list({**(TRUSTING if trust else {}), **build_inputs.env}.items()),
        "mounted": trust or bool(build_inputs.files),
    }


def trust_files(bundle: str) -> Mapping[str, str]:
    """The files, by path in the context, that make commands trust a bundle of CA certificates (PEM)."""
    return {
        "trust/ca.crt": bundle,
        "trust/apt.conf": 'Acquire::https::CaInfo "/media/ca.crt";\n',
    }
