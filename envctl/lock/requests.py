"""The requests of a spec: every service with its source and the inputs that affect what is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.lock.inputs import Input, inputs
from envctl.plan.model import DockerfileBuild, Plan, ReadyImage, Source, Unit


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A service of an environment, its source, and the inputs that affect what is installed."""

    environment: str
    service: str
    source: Source
    inputs: tuple[Input, ...]
    where: Place | None

    @property
    def name(self) -> str:
        """ENVIRONMENT/SERVICE, as in the lock."""
        return f"{self.environment}/{self.service}"


def build_requests(
    environment: str, plan: Plan, *, where: Callable[..., Place | None] | None = None
) -> tuple[BuildRequest, ...]:
    """The requests of an environment, sorted by service. Replicas share one image, so they share one request.

    `where` returns the place of a path in the spec: ("services", "web", "base").
    """

    def source_place(unit: Unit) -> Place | None:
        key = {ReadyImage: "image", DockerfileBuild: "dockerfile"}.get(type(unit.source), "base")
        return where("services", unit.service, key) if where else unit.where

    requests = (
        BuildRequest(
            environment,
            unit.service,
            unit.source,
            inputs(
                unit.source,
                Path(plan.scope.root),
                where=source_place(unit),
                platform_at=unit.origins.get("platform"),
            ),
            unit.where,
        )
        for unit in plan.units
        if unit.replica == 1
    )
    return tuple(sorted(requests, key=lambda request: request.name))
