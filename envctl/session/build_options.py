"""How the builds of a session are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envctl.backends.base import no_build_inputs

if TYPE_CHECKING:
    from envctl.backends.common.build_inputs import BuildInputs
    from envctl.plan.model import Base, Build, DockerfileBuild


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a session's builds are done, where that is not the usual way.

    `inputs` says what a build is given while it runs; `have_base` has a base on the engine, which otherwise is
    fetched or bootstrapped; `secret` gives a secret's value, which otherwise the session's own store does.
    """

    inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
    have_base: Callable[[Base], object] | None = None
    secret: Callable[[str], bytes] | None = None
