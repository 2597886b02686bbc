"""Unknown bases, and bases that lack what builds need, as far as their names show."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from envctl.bases.catalogue import CATALOGUE
from envctl.bases.families import known_distribution, without_apt, without_useradd
from envctl.definition.names import ROOT_FILE
from envctl.errors import Place, Problem
from envctl.plan.model import Base, Build, CreateUser, InstallPackages, Plan, Unit
from envctl.plan.platforms import PLATFORMS, processor
from envctl.planner.service_context import ServiceContext
from envctl.suggest import nearest

if TYPE_CHECKING:
    from envctl.definition.keys.build_source import BaseData

_TAKE = "use a Debian or Ubuntu base (`envctl base list`), or your own Dockerfile: `dockerfile: …`"


def base_problems(context: ServiceContext, unit: Unit) -> Iterator[Problem]:
    """Problems with the bases of a service and its stages, and with building its unit from them."""
    service, source = context.service, unit.source
    if service["base"] is None or not isinstance(source, Build):
        return
    problems = [*_problems(context, service["base"], service["packages"], source, ())]
    for used in source.stages:
        stage = service["stages"][used.name]
        base = stage["base"] or service["base"]
        problems += _problems(context, base, stage["packages"], used.build, ("stages", used.name))
    # A stage without a base of its own has the service's.
    yield from dict.fromkeys(problems)


def _problems(
    context: ServiceContext,
    base: BaseData,
    packages: Collection[str],
    build: Build,
    path: tuple[str, ...],
) -> Iterator[Problem]:
    """Problems with the base of the service or, at a `path`, of a stage."""
    problem = _unknown(build.base, base["name"]) or _not_made(context, base["name"])
    if problem:
        yield problem
        return
    image = base["image"] or base["name"]
    named = ".".join((context.name, *path))
    if packages and (family := without_apt(image)):
        yield Problem(
            _place(context.where(*path, "packages")),
            f"services.{named}: packages are installed with apt, which {_named(image, family)} lacks",
            hint=f"{_TAKE}; or install them in a `run` step",
        )
    user = next((step.name for step in build.steps if isinstance(step, CreateUser)), None)
    if user is not None and (family := without_useradd(image)):
        yield Problem(
            _place(build.base.where),
            f"services.{named}: the user {user!r} is created with useradd, which {_named(image, family)} lacks",
            hint=f"{_TAKE}; or write user: root, or a number",
        )


def machine_problems(plan: Plan, backend: str) -> Iterator[Problem]:
    """Bases that cannot become machines, as far as their names show. Services with packages are reported by `base_problems`."""
    for unit in plan.units:
        if not isinstance(unit.source, Build):
            continue
        base = unit.source.base
        installs = any(isinstance(step, InstallPackages) for step in unit.source.steps)
        if not installs and (family := without_apt(base.image)):
            yield Problem(
                _place(base.where or unit.where),
                f"services.{unit.service}: a machine is made with apt, which {_named(base.image, family)} does not have",
                expected="a Debian or Ubuntu base (`envctl base list`)",
                hint=f"use one of these, or another backend than {backend}; an `image:` or `dockerfile:` of any distribution runs inside a machine",
            )


def _not_made(context: ServiceContext, name: str) -> Problem | None:
    """Return a base of the catalogue whose distribution does not support the platform."""
    platform, entry = context.service["platform"], CATALOGUE.get(name)
    if not platform or entry is None or processor(platform).debian in entry.architectures:
        return None
    known = (
        platform_name
        for platform_name in PLATFORMS
        if processor(platform_name).debian in entry.architectures
    )
    return Problem(
        _place(context.where("platform")),
        f"services.{context.name}: the base {name} is not made for {platform}",
        expected=", ".join(known),
        hint=f"use another base, or an image for {platform}: base: {{image: …}}",
    )


def _unknown(base: Base, name: str) -> Problem | None:
    """Return a name that resembles a base of the catalogue: usually a typing error."""
    distribution = known_distribution(name) if name and name not in CATALOGUE else ""
    if not distribution:
        return None
    known = [other for other in CATALOGUE if other.startswith(f"{distribution}:")]
    suggestion = nearest(name, known)
    meant = f"if an image of that name is meant, write base: {{image: {name}}}"
    return Problem(
        _place(base.where),
        f"there is no base {name!r} in the catalogue",
        expected=", ".join(known),
        hint=f"did you mean {suggestion!r}? {meant}" if suggestion else meant,
    )


def _named(image: str, family: str) -> str:
    return f"the base {image}" if family in image else f"the base {image} ({family})"


def _place(where: Place | None) -> Place:
    return where or Place(ROOT_FILE, 1, 1)
