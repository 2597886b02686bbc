"""The names of units and of what they make, all beginning with project and environment. Pure.

Podman's generator names services after files: `a.container` becomes a.service, and `a.build` a-build.service. A dot before
the names of builds, volumes and the network keeps these apart from services of the spec, which have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.backends.common.step_views import slug
from envctl.lazy_dataclass import dataclass
from envctl.plan.image_volumes import parted
from envctl.plan.model import Plan, ReadyImage, Source, Unit

_HUB: Final = "docker.io"


@dataclass(frozen=True, slots=True)
class UnitNames:
    """The names for one plan. `builds` has, by digest, the unit that an image is built for."""

    prefix: str
    builds: Mapping[str, str]

    @classmethod
    def of(cls, plan: Plan) -> UnitNames:
        """The names for a plan."""
        builds: dict[str, str] = {}
        for unit in plan.units:
            if not isinstance(unit.source, ReadyImage):
                builds.setdefault(unit.source.digest, unit.name)
        return cls(slug(f"{plan.scope.project}-{plan.scope.environment}"), builds)

    def container(self, unit: Unit) -> str:
        """The name of a unit's container, and of its service."""
        return f"{self.prefix}-{unit.name}"

    def build_unit(self, digest: str) -> str:
        """The file of the unit that builds an image."""
        return f"{self.prefix}.{self.builds[digest]}.build"

    @property
    def network_unit(self) -> str:
        """The file of the network's unit."""
        return f"{self.prefix}.default.network"

    def volume_unit(self, name: str) -> str:
        """The file of a volume's unit."""
        return f"{self.prefix}.{_volume(name)}.volume"

    def volume(self, name: str) -> str:
        """The name of a volume."""
        return f"{self.prefix}-{_volume(name)}"

    def secret(self, name: str) -> str:
        """The name of a secret in Podman's store."""
        return f"{self.prefix}-{name}"

    def image(self, source: Source) -> str:
        """The value of `Image=`: a unit that builds it, or a name with its registry."""
        if isinstance(source, ReadyImage):
            return qualified(source.image)
        return self.build_unit(source.digest)


def _volume(name: str) -> str:
    of_image = parted(name)
    return f"{of_image[0]}.{slug(of_image[1])}" if of_image else name


def qualified(image: str) -> str:
    """An image's name with its registry: a service of systemd cannot ask which one a short name means."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{_HUB}/{image}" if slash else f"{_HUB}/library/{image}"
