"""Builds the image of a unit: checks the engine, builds, and records the image's content."""

from __future__ import annotations

from collections.abc import Mapping
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
        bases = self._checked_bases(unit, source)
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
                bases,
            ),
            report=context.report,
            secrets=secret_values(source, context.secret),
        )
        image_ids.note(source.digest, self.images.content(image))

    def _checked_bases(self, unit: str, source: Build | DockerfileBuild) -> Mapping[str, str]:
        """The images that the build starts from, with their names for the engine; none if a Dockerfile decides that."""
        self.platforms.require(source.platform, source.platform_at or source.where)
        if not isinstance(source, Build):
            return {}
        for base in source.bases:
            self.platforms.look_at(unit, base.image, source.platform)
        for build_on_base in (*(stage.build for stage in source.stages), source):
            insist_on_fit(build_on_base, self.images)
        return {base.image: self.images.pinned(base.image) for base in source.bases}
