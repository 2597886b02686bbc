"""The interface that locking needs: an engine, and builds that have the necessary approvals and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from envctl.backends.base import Backend, ImageEngine, MachineBuilds
from envctl.backends.common.build_inputs import BuildInputs
from envctl.plan.changes import Change
from envctl.plan.model import Build, DockerfileBuild
from envctl.progress import Progress

InputsOf: TypeAlias = Callable[[Build | DockerfileBuild], BuildInputs]
"""Returns the inputs of a build."""


class LockBuilder(Protocol):
    """Builds images and reports progress. Locking knows nothing else about its run."""

    @property
    def engine(self) -> ImageEngine:
        """The container engine that has the images. EnvctlError if no engine is available."""

    @property
    def machine_backends(self) -> Iterable[MachineBuilds]:
        """All backends that create machines for this environment, because one lock serves all of them."""

    def report(self, progress: Progress) -> None:
        """Show progress to the user."""

    def build(
        self, changes: Sequence[Change], inputs: InputsOf, *, backend: Backend | None = None
    ) -> None:
        """Make builds on the engine, or on `backend`. EnvctlError if one fails."""
