"""Checks names on the engine that may belong to others. envctl never uses, changes or removes others' resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from envctl.backends.docker import names as n
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.names import Names
from envctl.errors import EnvctlError, Place
from envctl.plan.model import Unit

MEMORY: Final = "tmpfs"
"""The file system of the volumes with secrets."""


def name_taken(kind: str, name: str, where: Place | None = None) -> EnvctlError:
    """The error for a name that belongs to something else: a container, a volume or a network."""
    return EnvctlError(
        f"the {kind} name {name} is taken by something that envctl did not create for this environment",
        hint=f"remove or rename it: `docker {kind} inspect {name}` shows what it is",
        where=where,
    )


def claim_volumes(api: EngineApi, unit: Unit, names: Names) -> None:
    """EnvctlError if a name of the unit's volumes belongs to a volume that envctl did not create for it."""
    where = unit.origins.get("volumes") or unit.where
    for volume in unit.run.volumes:
        name = names.volume(volume.name)
        existing = _volume(api, name)
        if existing and not _has(existing["Labels"], {**names.own_labels, n.VOLUME: volume.name}):
            raise name_taken("volume", name, where)
    if unit.run.secrets:
        claim_secrets(api, unit.name, names, where=unit.origins.get("secrets") or unit.where)


def claim_secrets(api: EngineApi, unit: str, names: Names, *, where: Place | None = None) -> None:
    """EnvctlError if a unit's secrets volume exists but is not in memory: no value may be written to disk."""
    name = names.secrets(unit)
    existing = _volume(api, name)
    if existing is None:
        return
    ours = _has(existing["Labels"], {**names.own_labels, n.SECRETS: unit})
    if not ours or (existing["Options"] or {}).get("type") != MEMORY:
        raise name_taken("volume", name, where)


def is_ours(api: EngineApi, container: str, names: Names, labels: Mapping[str, str]) -> bool:
    """Whether the container of that name is left over from this environment, or is gone."""
    try:
        actual = api.inspect_container(container)["Config"].get("Labels")
    except NotFoundError:
        return True
    return _has(actual, {**names.own_labels, **labels})


def _volume(api: EngineApi, name: str) -> Mapping[str, Any] | None:
    try:
        return api.inspect_volume(name)
    except NotFoundError:
        return None


def _has(labels: Mapping[str, str] | None, expected: Mapping[str, str]) -> bool:
    return all((labels or {}).get(key) == value for key, value in expected.items())
