"""What specs ask for, as a lock is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.lock.inputs import Input, inputs
from envctl.plan.model import DockerfileBuild, ReadyImage, Source, Unit
from envctl.session import Session


@dataclass(frozen=True, slots=True)
class Asked:
    """A service of an environment, what it is made from, and what of the spec decides on what that installs."""

    environment: str
    service: str
    source: Source
    inputs: tuple[Input, ...]
    where: Place | None

    @property
    def name(self) -> str:
        """As the lock calls it."""
        return f"{self.environment}/{self.service}"


def asked(session: Iterable[Session]) -> tuple[Asked, ...]:
    """What the specs of some environments ask for, sorted; replicas are made of one image."""
    found = (
        Asked(
            one.target.environment,
            unit.service,
            unit.source,
            inputs(
                unit.source,
                Path(one.plan.scope.root),
                where=_place(one, unit),
                platform_at=unit.origins.get("platform"),
            ),
            unit.where,
        )
        for one in session
        for unit in one.plan.units
        if unit.replica == 1
    )
    return tuple(sorted(found, key=lambda one: one.name))


def _place(session: Session, unit: Unit) -> Place | None:
    """The place that says what a unit is made from."""
    key = {ReadyImage: "image", DockerfileBuild: "dockerfile"}.get(type(unit.source), "base")
    resolved = session.resolved
    return resolved.where("services", unit.service, key) if resolved else unit.where
