"""Finds the containers that belong to an environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from envctl.backends.docker import names as n
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.names import Names
from envctl.lazy_dataclass import dataclass
from envctl.plan.scope import Scope

Listed: TypeAlias = Mapping[str, Any]
"""A container as the engine lists it."""


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of an environment: those of its units, by unit, and those that hold its secrets.

    `twins` are additional containers of a unit: the first was renamed by hand, and envctl created another.
    """

    units: Mapping[str, Listed]
    secrets_containers: Sequence[Listed]
    twins: Sequence[Listed] = ()

    def of_unit(self, unit: str) -> Sequence[Listed]:
        """All containers of a unit."""
        main = [self.units[unit]] if unit in self.units else []
        return [*main, *(twin for twin in self.twins if twin["Labels"][n.UNIT] == unit)]


def containers(engine: Engine, names: Names, *, unit: str = "") -> Containers:
    """The environment's containers, or those of one unit, except those that are being removed."""
    filters = names.unit_filters(unit) if unit else names.filters
    with engine.doing("list containers") as api:
        listed: list[Listed] = api.containers(all=True, filters=dict(filters))
        owned = [container for container in listed if is_own(api, container, names.scope)]
    # If a unit has several containers, the one with the right name counts.
    owned.sort(key=lambda container: not _is_named(container, names.scope))
    units: dict[str, Listed] = {}
    twins = [
        container
        for container in owned
        if (name := container["Labels"].get(n.UNIT))
        and units.setdefault(name, container) is not container
    ]
    return Containers(units, [container for container in owned if _keeps_secrets(container)], twins)


def is_own(api: EngineApi, container: Listed, scope: Scope) -> bool:
    """Whether a container with a scope's labels was created as a unit or for secrets, and still exists.

    `docker commit` copies labels into the image, and containers of that image inherit them. So if a container's name is
    not its original one, it only counts if its image has no such label: then the container was renamed.
    """
    labels = container["Labels"]
    key = n.UNIT if labels.get(n.UNIT) else n.SECRETS_CONTAINER
    if container.get("State") == "removing" or not labels.get(key):
        return False
    return _is_named(container, scope) or not _may_inherit(api, container, key)


def is_renamed(called: Iterable[str], labels: Mapping[str, str], scope: Scope) -> bool:
    """Whether a unit's container has another name than it was created with."""
    return f"/{_names_of(labels, scope).container(labels[n.UNIT])}" not in called


def _is_named(container: Listed, scope: Scope) -> bool:
    labels = container["Labels"]
    if labels.get(n.UNIT):
        return not is_renamed(container["Names"], labels, scope)
    start = f"/{_names_of(labels, scope).secrets_container('')}"
    return any(name.startswith(start) for name in container["Names"])


def _keeps_secrets(container: Listed) -> bool:
    return bool(container["Labels"].get(n.SECRETS_CONTAINER)) and not container["Labels"].get(
        n.UNIT
    )


def _names_of(labels: Mapping[str, str], scope: Scope) -> Names:
    """The names at the time of creation. The project may have been renamed since, or its present name cannot be read."""
    project = labels.get(n.PROJECT) or scope.project
    environment = labels.get(n.ENVIRONMENT) or scope.environment
    return Names(replace(scope, project=project, environment=environment))


def _may_inherit(api: EngineApi, container: Listed, key: str) -> bool:
    """Whether a container's label may come from its image. True if the image is gone, because that is unknown then."""
    try:
        image = api.inspect_image(container.get("ImageID", ""))
    except NotFoundError:
        return True
    return bool(((image.get("Config") or {}).get("Labels") or {}).get(key))
