"""What builds are given while they run, and what makes images and looks into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.plan.model import Build, DockerfileBuild

BROUGHT: Final = "/.envctl"
"""The folder, inside, of what a container script brings: in no image is there one."""


@dataclass(frozen=True, slots=True)
class ContainerScript:
    """A shell script to be run in a throwaway copy of an image, as root, with `arguments`.

    One that brings nothing has no rights and can write nothing. Files that it leaves in BROUGHT are put into the
    folder `bring`. With `network` it is to fetch things: the host's certificates are trusted. `timeout` in seconds.
    """

    script: str
    arguments: tuple[str, ...] = ()
    network: bool = False
    bring: Path | None = None
    timeout: float = 300.0


RunScript: TypeAlias = Callable[[ContainerScript], bytes]
"""Runs a container script somewhere; its output."""


class OtherBaseError(EnvctlError):
    """What a build is done on is not the base that is locked."""


class BuildVerifier(Protocol):
    """Looks into a machine that a build is done in, by container scripts: whether it comes to what is locked."""

    @property
    def made_of(self) -> str:
        """What the result is noted to be made of, if it does."""

    def before(self, run: RunScript) -> None:
        """Before the build's steps. OtherBaseError, naming what differs, unless it is the base as it is locked."""

    def after(self, run: RunScript) -> None:
        """After them. EnvctlError, naming what differs, unless all of it is as it is locked."""


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What a build is given while it runs, of which nothing stays in what is built.

    `files`, by path, are in a folder mounted at /media; `env` are variables of its commands. An `offline` build
    reaches no network; a `fresh` one takes nothing from the builder's cache. The `verifier` is for a build that is
    done in a machine, and of which no image tells what is in it.
    """

    files: Mapping[str, str | Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    fresh: bool = False
    verifier: BuildVerifier | None = None


NO_BUILD_INPUTS: Final = BuildInputs()


@dataclass(frozen=True, slots=True)
class ExtraBuild:
    """A build that a backend makes beside those of the spec, or on one of them.

    `downloads` are packages that its commands fetch without installing them, each with the first that it depends on.
    """

    build: Build
    downloads: tuple[str, ...] = ()


def secret_values(
    build: Build | DockerfileBuild, value: Callable[[str], bytes]
) -> Mapping[str, bytes]:
    """The values of the secrets that a build's commands name. EnvctlError, with the place of the build, if one has none."""
    from envctl.plan.build_secrets import build_secrets

    try:
        return {one.name: value(one.name) for one in build_secrets(build)}
    except EnvctlError as error:
        error.where = error.where or build.where
        raise
