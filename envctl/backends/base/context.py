"""What a backend is created with: its scope, and the services of envctl that it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.progress import Report, no_progress

if TYPE_CHECKING:
    from envctl.backends.base.optional_protocols import ImageEngine
    from envctl.backends.common.build_inputs import BuildInputs
    from envctl.plan.model import Base, Build, DockerfileBuild
    from envctl.plan.scope import Scope


def _no_images() -> ImageEngine:
    raise EnvctlError("there is no container engine to build images with")


def _no_base(_base: Base) -> None:
    """Do nothing: without a container engine, no base has to be prepared."""


def _no_root(build: Build, _folder: Path) -> None:
    raise EnvctlError(f"the base {build.base.image} cannot be made here")


def _no_secret(_name: str) -> bytes:
    return b""


def no_build_inputs(_build: Build | DockerfileBuild) -> BuildInputs:
    """The inputs of an ordinary build: none."""
    from envctl.backends.common.build_inputs import NO_BUILD_INPUTS

    return NO_BUILD_INPUTS


def _not_busy() -> bool:
    return False


def _no_template(_template: str, _context: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a backend gets: the scope of its resources, and the services of envctl that it may use.

    `secret` returns a secret's value, and generates it if necessary. `render` fills in one of the backend's templates.
    `trust` is the CA bundle that builds need behind an inspecting proxy, or None. `images` opens a container engine,
    and `have_base` makes sure that it has the image of a base. `bootstrap` builds packages, texts and commands on a
    base of the catalogue into a root filesystem in a folder, without an engine. `template_digest` is a digest of the
    project's own templates for images, or ""; other projects do not share their images. `build_inputs` returns a
    build's inputs. `busy` returns whether a command is changing the environment now.
    """

    scope: Scope
    report: Report = no_progress
    secret: Callable[[str], bytes] = _no_secret
    render: Callable[[str, Mapping[str, Any]], str] = _no_template
    trust: Path | None = None
    images: Callable[[], ImageEngine] = _no_images
    have_base: Callable[[Base], None] = _no_base
    bootstrap: Callable[[Build, Path], None] = _no_root
    template_digest: str = ""
    build_inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
    busy: Callable[[], bool] = _not_busy
