"""`pull`: pull the newest images that services run and the bases that builds start from."""

from __future__ import annotations

from collections.abc import Sequence

from envctl.backends.base import KeepsImages
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Base, Build, ReadyImage, Unit
from envctl.plan.target import Target
from envctl.planner.selection import select
from envctl.progress import Progress, Stage
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.supported import unsupported


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image with its ids before and after the pull; "" if it did not exist."""

    image: str
    before: str
    after: str


def pull(
    project: Project, target: Target, *, services: Sequence[str] = ()
) -> tuple[PulledImage, ...]:
    """Pull the images of these services, or of all, and make the bases of their builds available."""
    from envctl.bases import ensure

    session = Session(project, target, services=services)
    units = [
        unit
        for unit in select(session.plan, services).units
        if not services or unit.service in services
    ]
    images = _engine(session).images
    pulled = []
    for name, base in _images(units).items():
        before = images.find(name) or ""
        if base is None:
            session.report(Progress(f"pull {name}", Stage.STARTED))
            images.pull(name)
            session.report(Progress(f"pull {name}", Stage.DONE))
        else:
            ensure(base, images, session.report)
        pulled.append(PulledImage(name, before, images.find(name) or ""))
    return tuple(pulled)


def _engine(session: Session) -> KeepsImages:
    """The image store: the backend, or the container engine that builds its machines."""
    backend = session.backend
    if isinstance(backend, KeepsImages):
        return backend
    if backend.capabilities.machines:
        return session.engine
    raise unsupported(backend, "pull")


def _images(units: Sequence[Unit]) -> dict[str, Base | None]:
    """Image names, each with its base from the catalogue; None if the image is run unchanged."""
    from envctl.plan.platforms import image_name

    images: dict[str, Base | None] = {}
    for unit in units:
        if isinstance(unit.source, ReadyImage):
            images[image_name(unit.source.image, unit.source.platform)] = None
        elif isinstance(unit.source, Build):
            for base in unit.source.bases:
                images.setdefault(base.image, base)
    return images
