"""Builds the image of a unit: checks the engine, builds, and records the image's content."""

from __future__ import annotations

from pathlib import Path

from envctl.backends.base import Context
from envctl.backends.common import image_ids
from envctl.backends.common.build_inputs import secret_values
from envctl.backends.docker.base_check import insist_on_fit
from envctl.backends.docker.build_image import build
from envctl.backends.docker.buildcontext import Sender
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_platforms import Platforms
from envctl.backends.docker.images import Images
from envctl.backends.docker.names import Names
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, DockerfileBuild


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Builds images for the units of one environment."""

    engine: Engine
    names: Names
    images: Images
    platforms: Platforms
    context: Context

    def make(self, unit: str, source: Build | DockerfileBuild) -> None:
        """Build the image of a unit. EnvctlError if the engine or the base does not support the build's platform."""
        context = self.context
        base = self._checked_base(unit, source)
        image = build(
            source,
            unit,
            engine=self.engine,
            names=self.names,
            sender=Sender(
                Path(context.scope.root),
                context.render,
                context.trust,
                context.build_inputs(source),
                base,
            ),
            report=context.report,
            secrets=secret_values(source, context.secret),
        )
        image_ids.note(source.digest, self.images.content(image))

    def _checked_base(self, unit: str, source: Build | DockerfileBuild) -> str:
        """The image that the build starts from; "" if a Dockerfile decides that."""
        self.platforms.require(source.platform, source.platform_at or source.where)
        if not isinstance(source, Build):
            return ""
        self.platforms.look_at(unit, source.base.image, source.platform)
        insist_on_fit(source, self.images)
        return self.images.pinned(source.base.image)
