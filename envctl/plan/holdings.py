"""Resources that only one unit should have at a time: ports of the host, network names, volumes. Pure.

This module lists what a unit has and what it will have. Whether two units may share a resource is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Run, Unit
from envctl.plan.state import Status, UnitState

_NOTHING_HELD: Final = frozenset({Status.MISSING, Status.CREATED})
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


@dataclass(frozen=True, slots=True)
class Holding:
    """One resource: `kind` is port, name or volume; `address` is that of a port on the host."""

    kind: str
    name: str
    address: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def clashes(self, other: Holding) -> bool:
        """Whether the two exclude each other: a port on all addresses clashes with one on any address."""
        if (self.kind, self.name) != (other.kind, other.name):
            return False
        return self.address == other.address or bool({self.address, other.address} & _EVERYWHERE)


def planned_holdings(unit: Unit) -> frozenset[Holding]:
    """Return the resources that a unit of the plan will have."""
    run: Run = unit.run
    return frozenset(
        [
            *(_port(port.host, port.protocol, port.address) for port in run.ports if port.host),
            *(Holding("name", name) for name in {unit.name, unit.service, *run.aliases}),
            *(Holding("volume", volume.name) for volume in run.volumes),
        ]
    )


def observed_holdings(state: UnitState) -> frozenset[Holding]:
    """Return the resources of an existing unit, as recorded and as observed."""
    if state.status in _NOTHING_HELD:
        return frozenset()
    names = {state.name, state.service}
    return frozenset([*(Holding("name", name) for name in names), *_seen(state), *_recorded(state)])


def _port(host: object, protocol: object, address: object) -> Holding:
    return Holding("port", f"{host}" if protocol == "tcp" else f"{host}/{protocol}", str(address))


def _seen(state: UnitState) -> Iterator[Holding]:
    """Ports that the engine chose are in no spec."""
    for shown in state.addresses:
        address, _, port = shown.rpartition(":")
        host, _, protocol = port.partition("/")
        yield _port(host, protocol or "tcp", address.strip("[]"))


def _recorded(state: UnitState) -> Iterator[Holding]:
    try:
        run = json.loads(state.run)
    except (ValueError, RecursionError):
        return
    if not isinstance(run, dict):
        return
    for entry in _entries(run.get("ports")):
        if entry.get("host"):
            yield _port(entry["host"], entry.get("protocol", "tcp"), entry.get("address", ""))
    for entry in _entries(run.get("volumes")):
        yield Holding("volume", str(entry.get("name")))
    aliases = run.get("aliases")
    yield from (
        Holding("name", str(entry)) for entry in (aliases if isinstance(aliases, list) else ())
    )


def _entries(value: object) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
