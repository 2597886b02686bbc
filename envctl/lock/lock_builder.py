"""What locking needs from its caller: an engine, and builds carried out with their approvals and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from envctl.backends.base import Backend, ImageEngine, MachineBuilds
from envctl.backends.common.build_inputs import BuildInputs
from envctl.plan.changes import Change
from envctl.plan.model import Build, DockerfileBuild
from envctl.progress import Progress

InputsOf: TypeAlias = Callable[[Build | DockerfileBuild], BuildInputs]
"""Returns what a build is given while it runs."""


class LockBuilder(Protocol):
    """Builds images and reports progress. Locking knows nothing else about the run it is part of."""

    @property
    def engine(self) -> ImageEngine:
        """The container engine that has the images. EnvctlError if no engine is available."""

    @property
    def machine_backends(self) -> Iterable[MachineBuilds]:
        """Every backend that makes machines, for the same environment: one lock serves all of them."""

    def report(self, progress: Progress) -> None:
        """Show progress to the user."""

    def build(
        self, changes: Sequence[Change], inputs: InputsOf, *, backend: Backend | None = None
    ) -> None:
        """Carry out builds on the engine, or on `backend`. EnvctlError if one fails."""
