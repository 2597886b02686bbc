"""Records events of a container, stored on the engine as labels of volumes that stay empty.

A container's labels cannot change after its creation, and a local file could disagree with the engine. A record belongs
to one container, by its id, and is written after the event. Only STOPPING is written before, because the engine
finishes stopping a container even if the command that asked for it was killed. If volumes are pruned, records are lost
and hooks run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from envctl.backends.docker import names as n
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.names import Names

HOOK: Final = "hook"
STOPPED: Final = "stopped"
STOPPING: Final = "stopping"
Read: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""The values of records, by container and kind."""


class Records:
    """The records of one environment's units."""

    def __init__(self, engine: Engine, names: Names) -> None:
        self._engine = engine
        self._names = names

    def write(self, unit: str, container: str, kind: str, value: str) -> None:
        """Record an event of a unit's container.

        The value is the digest of a hook that succeeded (HOOK), the time when the container ended after envctl stopped
        it (STOPPED), or the start time of the run that envctl is about to end (STOPPING).
        """
        text = hashlib.sha256("\0".join((container, kind, value)).encode()).hexdigest()[:16]
        labels = {
            **self._names.labels,
            n.RECORD: unit,
            n.RECORD_OF: container,
            n.RECORD_KIND: kind,
            n.RECORD_VALUE: value,
        }
        with self._engine.doing(f"record an event of {unit}") as api:
            api.create_volume(self._names.record(unit, text), labels=labels)

    def clear(self, unit: str) -> None:
        """Remove a unit's records, because the unit starts again or is removed."""
        filters = {"label": [*self._names.filters["label"], f"{n.RECORD}={unit}"]}
        with self._engine.doing(f"remove the records of {unit}") as api:
            for volume in api.volumes(filters=filters):
                try:
                    api.remove_volume(volume["Name"])
                except NotFoundError:
                    continue

    def sweep(self) -> None:
        """Remove all records."""
        filters = {"label": [*self._names.filters["label"], n.RECORD]}
        with self._engine.doing("remove records") as api:
            listed = api.volumes(filters=filters)
        for unit in {volume["Labels"][n.RECORD] for volume in listed}:
            self.clear(unit)


def is_record(volume: Mapping[str, Any]) -> bool:
    """Whether a listed volume is a record."""
    return bool((volume.get("Labels") or {}).get(n.RECORD))


def read(volumes: Iterable[Mapping[str, Any]]) -> Read:
    """The values of records, by container and kind."""
    values: dict[tuple[str, str], frozenset[str]] = {}
    for volume in volumes:
        if is_record(volume):
            labels = volume["Labels"]
            key = (labels.get(n.RECORD_OF, ""), labels.get(n.RECORD_KIND, ""))
            values[key] = values.get(key, frozenset()) | {labels.get(n.RECORD_VALUE, "")}
    return values
