"""Options for the builds of a session."""

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
    """Options that change how a session's builds are made.

    `inputs` returns the inputs of a build. `have_base` makes a base available on the engine, by default by pulling or
    bootstrapping it. `secret` returns a secret's value, by default from the session's own store.
    """

    inputs: Callable[[Build | DockerfileBuild], BuildInputs] = no_build_inputs
    have_base: Callable[[Base], object] | None = None
    secret: Callable[[str], bytes] | None = None
