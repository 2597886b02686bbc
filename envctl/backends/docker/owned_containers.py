"""Which of the engine's containers are an environment's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from envctl.backends.docker import names as n
from envctl.backends.docker.api import Client
from envctl.backends.docker.client import Engine
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.names import Names
from envctl.lazy_dataclass import dataclass
from envctl.plan.scope import Scope

Listed: TypeAlias = Mapping[str, Any]
"""A container as the engine lists it."""


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of an environment: those of its units, by unit, and the keepers of its secrets.

    `twins` are further containers of a unit that has one already: somebody renamed them before it was made.
    """

    units: Mapping[str, Listed]
    keepers: Sequence[Listed]
    twins: Sequence[Listed] = ()

    def of_unit(self, unit: str) -> Sequence[Listed]:
        """All containers of a unit."""
        own = [self.units[unit]] if unit in self.units else []
        return [*own, *(one for one in self.twins if one["Labels"][n.UNIT] == unit)]


def containers(engine: Engine, names: Names, *, unit: str = "") -> Containers:
    """The environment's containers, or those of one unit; what is being removed is left out."""
    filters = names.unit_filters(unit) if unit else names.filters
    with engine.doing("list containers") as api:
        listed: list[Listed] = api.containers(all=True, filters=dict(filters))
        own = [one for one in listed if is_own(api, one, names.scope)]
    # Of several containers of a unit the one that still has the name is the unit.
    own.sort(key=lambda one: not _is_named(one, names.scope))
    units: dict[str, Listed] = {}
    twins = [
        one
        for one in own
        if (name := one["Labels"].get(n.UNIT)) and units.setdefault(name, one) is not one
    ]
    return Containers(units, [one for one in own if _is_keeper(one)], twins)


def is_own(api: Client, one: Listed, scope: Scope) -> bool:
    """Whether a container with a scope's labels was made for a unit or to keep secrets, and is there.

    Labels are inherited by whatever is made from an image that somebody made of a container. So one that has not the
    name that it was made with counts only if its labels are not its image's: then somebody renamed it.
    """
    labels = one["Labels"]
    key = n.UNIT if labels.get(n.UNIT) else n.KEEPER
    if one.get("State") == "removing" or not labels.get(key):
        return False
    return _is_named(one, scope) or not _may_inherit(api, one, key)


def is_renamed(called: Iterable[str], labels: Mapping[str, str], scope: Scope) -> bool:
    """Whether a unit's container has another name than it was made with."""
    return f"/{_names_of(labels, scope).container(labels[n.UNIT])}" not in called


def _is_named(one: Listed, scope: Scope) -> bool:
    labels = one["Labels"]
    if labels.get(n.UNIT):
        return not is_renamed(one["Names"], labels, scope)
    start = f"/{_names_of(labels, scope).keeper('')}"
    return any(name.startswith(start) for name in one["Names"])


def _is_keeper(one: Listed) -> bool:
    return bool(one["Labels"].get(n.KEEPER)) and not one["Labels"].get(n.UNIT)


def _names_of(labels: Mapping[str, str], scope: Scope) -> Names:
    """What it is called by: the project may have another name by now, or none that can be read."""
    project = labels.get(n.PROJECT) or scope.project
    environment = labels.get(n.ENVIRONMENT) or scope.environment
    return Names(replace(scope, project=project, environment=environment))


def _may_inherit(api: Client, one: Listed, key: str) -> bool:
    """Whether a container's label may be its image's; also if nobody can tell, since the image is gone."""
    try:
        image = api.inspect_image(one.get("ImageID", ""))
    except NotFoundError:
        return True
    return bool(((image.get("Config") or {}).get("Labels") or {}).get(key))
