"""Checks whether a base has the programs that build steps call, before the first step runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.backends.docker.images import Images
from envctl.errors import EnvctlError
from envctl.plan.model import Build, CreateUser, InstallPackages

_NEEDS: Final[Mapping[type, tuple[str, str]]] = {
    InstallPackages: ("/usr/bin/apt-get", "packages are installed with apt"),
    CreateUser: ("/usr/sbin/useradd", "users are created with useradd"),
}
_USERS: Final = "/etc/passwd"


def insist_on_fit(build: Build, images: Images) -> None:
    """EnvctlError, with the step's place, if the base lacks a program of a step. Skips bases not on the engine."""
    image = build.base.image
    steps = [step for step in build.steps if type(step) in _NEEDS]
    # Bases of the catalogue have all these programs.
    if build.base.name or not steps or images.find(image) is None:
        return
    missing = images.lacks(image, sorted({_NEEDS[type(step)][0] for step in steps}))
    for step in steps:
        path, why = _NEEDS[type(step)]
        if path in missing and not (isinstance(step, CreateUser) and _has(step, image, images)):
            raise EnvctlError(
                f"the base {image} cannot be built on: {why}, but it has no {path}",
                hint="use a Debian or Ubuntu base (`envctl base list`), or your own Dockerfile: `dockerfile: …`",
                where=step.where or build.base.where or build.where,
            )


def _has(user: CreateUser, image: str, images: Images) -> bool:
    """Whether an image already has a user."""
    if images.lacks(image, [_USERS]):
        return False
    lines = images.read_file(image, _USERS).decode("utf-8", "replace").splitlines()
    return user.name in {line.partition(":")[0] for line in lines}
