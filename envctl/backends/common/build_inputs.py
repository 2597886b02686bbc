"""The inputs of a build, and scripts that inspect its result."""

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
"""The folder of a container script's output files; no image has such a folder."""


@dataclass(frozen=True, slots=True)
class ContainerScript:
    """A shell script that runs in a temporary copy of an image, as root, with `arguments`.

    Files that it leaves in BROUGHT are copied to the folder `bring`. Without `bring` it has no capabilities and cannot
    write anything. With `network` it may download files and trusts the host's certificates. `timeout` is in seconds.
    """

    script: str
    arguments: tuple[str, ...] = ()
    network: bool = False
    bring: Path | None = None
    timeout: float = 300.0


RunScript: TypeAlias = Callable[[ContainerScript], bytes]
"""Runs a container script; its output."""


class OtherBaseError(EnvctlError):
    """The base of a build is not the locked one."""


class BuildVerifier(Protocol):
    """Checks, with container scripts, that a build in a machine has the locked result."""

    @property
    def source_id(self) -> str:
        """The id to record as the source of the result, if the checks pass."""

    def before(self, run: RunScript) -> None:
        """Check the base before the build's steps. OtherBaseError, with the differences, if it is not the locked one."""

    def after(self, run: RunScript) -> None:
        """Check the result after the steps. EnvctlError, with the differences, if it is not the locked one."""


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What a build may use while it runs. None of it stays in the result.

    `files`, by path, are in a folder mounted at /media; `env` are variables of its commands. An `offline` build has no
    network; a `fresh` build does not use the builder's cache. The `verifier` checks a build in a machine, because that
    leaves no image to inspect.
    """

    files: Mapping[str, str | Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    fresh: bool = False
    verifier: BuildVerifier | None = None


NO_BUILD_INPUTS: Final = BuildInputs()


@dataclass(frozen=True, slots=True)
class ExtraBuild:
    """A build that a backend needs in addition to those of the spec, possibly on top of one of them.

    Its commands download the packages in `downloads` with their dependencies, without installing them.
    """

    build: Build
    downloads: tuple[str, ...] = ()


def secret_values(
    build: Build | DockerfileBuild, value: Callable[[str], bytes]
) -> Mapping[str, bytes]:
    """The values of the secrets that a build uses. EnvctlError, with the build's place, if a value is missing."""
    from envctl.plan.build_secrets import build_secrets

    try:
        return {secret.name: value(secret.name) for secret in build_secrets(build)}
    except EnvctlError as error:
        error.where = error.where or build.where
        raise
