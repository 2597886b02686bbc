"""`gc`: remove what no environment on this machine uses. Never touches data (volumes, secrets)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envctl.backends import backend_names, open_backend
from envctl.backends.base import (
    Backend,
    CollectsGarbage,
    Context,
    Garbage,
    MachineBuilds,
    NoEngineError,
)
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build
from envctl.plan.scope import Scope
from envctl.plan.target import Target
from envctl.progress import Report
from envctl.project import Project
from envctl.session import Session

_NOBODY = Scope("", "", "", "/")


@dataclass(frozen=True, slots=True)
class UnusedThing:
    """An unused image, box, base or cache, and its backend."""

    backend: str
    garbage: Garbage


def needed_by(project: Project | None) -> frozenset[str]:
    """What the environments of a project are built from, up or not: digests of builds, names of base images.

    EnvctlError if that is unknown, because then anything may be needed.
    """
    if project is None:
        return frozenset()
    needed: set[str] = set()
    project = project.with_all_profiles()
    for name in project.environments():
        session = Session(project, Target(name))
        plan = session.plan
        needed |= plan.builds().keys()
        sources = [build for build in plan.builds().values() if isinstance(build, Build)]
        needed |= {base.image for source in sources for base in source.bases}
        needed |= _extra_builds(session.backend, sources)
    return frozenset(needed)


def _extra_builds(backend: Backend, sources: Iterable[Build]) -> set[str]:
    """The digests of the builds that a backend makes in addition to these."""
    if not isinstance(backend, MachineBuilds):
        return set()
    return {extra.build.digest for source in sources for extra in backend.extra_builds(source)}


def unused(
    needed: frozenset[str], report: Report
) -> tuple[tuple[UnusedThing, ...], tuple[str, ...]]:
    """What no environment of any project uses, on all engines; and why engines did not answer, if any."""
    things: list[UnusedThing] = []
    unanswered: list[str] = []
    for name in backend_names():
        backend = open_backend(name, Context(_NOBODY, report=report))
        try:
            if isinstance(backend, CollectsGarbage):
                things += [UnusedThing(name, garbage) for garbage in backend.garbage(needed)]
        except NoEngineError:
            continue
        except EnvctlError as error:
            unanswered.append(f"{name} could not be asked: {error.brief}")
        finally:
            backend.close()
    return tuple(things), tuple(unanswered)


def remove(things: Iterable[UnusedThing], report: Report) -> tuple[UnusedThing, ...]:
    """Remove these things, unless they are in use by now. Returns what was removed."""
    by_backend: dict[str, list[UnusedThing]] = {}
    for thing in things:
        by_backend.setdefault(thing.backend, []).append(thing)
    gone: list[UnusedThing] = []
    for name, own_things in by_backend.items():
        backend = open_backend(name, Context(_NOBODY, report=report))
        try:
            assert isinstance(backend, CollectsGarbage)  # this backend returned it
            gone += [thing for thing in own_things if backend.remove_garbage(thing.garbage)]
        finally:
            backend.close()
    return tuple(gone)


def total_size(things: Sequence[UnusedThing]) -> int:
    """The total size in bytes of things whose size is known. Images share layers, so less may become free."""
    return sum(thing.garbage.size or 0 for thing in things)
