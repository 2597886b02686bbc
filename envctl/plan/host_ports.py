"""The ports of this host that a spec leaves open: which those are, which are chosen, and the plan with them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Plan, Port, Process, Unit
from envctl.plan.port_references import referenced_ports, with_numbers
from envctl.plan.state import Observed, Status, UnitState

FIRST: Final = 20_000
"""The first port that is chosen: well below those that kernels give to clients."""
COUNT: Final = 5_000
_PORTABLE_COUNT: Final = 10_000
_HOLDS_PORTS: Final = frozenset(
    {Status.STARTING, Status.RESTARTING, Status.PAUSED, Status.UNREACHABLE}
)


@dataclass(frozen=True, slots=True)
class OpenPort:
    """A port of a unit for which the spec names no port of the host."""

    unit: str
    port: Port

    @property
    def key(self) -> str:
        """What identifies it within a target: "web 127.0.0.1:8000/tcp"."""
        return port_key(self.unit, self.port)


def port_key(unit: str, port: Port) -> str:
    """What identifies a published port within a target."""
    return f"{unit} {port.address}:{port.container}/{port.protocol}"


def open_ports(plan: Plan) -> tuple[OpenPort, ...]:
    """Return the ports of the plan's units for which no host port is set."""
    return tuple(
        OpenPort(unit.name, port) for unit in plan.units for port in unit.run.ports if not port.host
    )


def fixed_ports(plan: Plan) -> frozenset[int]:
    """Return the ports of the host that the spec names."""
    return frozenset(port.host for unit in plan.units for port in unit.run.ports if port.host)


def with_host_ports(plan: Plan, chosen: Mapping[str, int]) -> Plan:
    """Return the plan with the ports of the host that were chosen, by key, also where values refer to them.

    A port that is not among them stays open, and a reference to it stays as it is written.
    """
    units = [_with_ports(unit, chosen) for unit in plan.units]
    numbers: dict[tuple[str, int], int] = {}
    for unit in units:
        for port in unit.run.ports:
            numbers.setdefault((unit.name, port.container), port.host)
    return replace(plan, units=tuple(_with_references(unit, numbers) for unit in units))


def _with_ports(unit: Unit, chosen: Mapping[str, int]) -> Unit:
    if all(port.host for port in unit.run.ports):
        return unit
    ports = tuple(
        port if port.host else replace(port, host=chosen.get(port_key(unit.name, port), 0))
        for port in unit.run.ports
    )
    return replace(unit, run=replace(unit.run, ports=ports))


def _with_references(unit: Unit, numbers: Mapping[tuple[str, int], int]) -> Unit:
    process = unit.run.process
    if not any(any(referenced_ports(value)) for value in _values(process)):
        return unit
    argv = process.argv
    filled = replace(
        process,
        argv=tuple(with_numbers(word, numbers) for word in argv) if argv is not None else None,
        env={name: with_numbers(value, numbers) for name, value in process.env.items()},
    )
    return replace(unit, run=replace(unit.run, process=filled))


def _values(process: Process) -> Iterator[str]:
    """Yield the values of a process in which the spec may refer to ports."""
    yield from process.env.values()
    yield from process.argv or ()


# --- the choice -----------------------------------------------------------------------------


def choose(
    ports: Sequence[OpenPort],
    *,
    seed: str,
    before: Mapping[str, int],
    held: Mapping[str, int],
    reserved: Collection[int],
    is_free: Callable[[Port, int], bool],
) -> dict[str, int]:
    """Choose a host port for each open port, by key: the one from `before` if it is still available.

    Otherwise the first port that is neither `reserved` nor in use, in an order that depends only on `seed` and key.
    `held` are the ports of running units, which keep them. EnvctlError if all ports are in use.
    """
    chosen = {port.key: held[port.key] for port in ports if port.key in held}
    used = {*reserved, *chosen.values()}

    def choose_from(port: OpenPort, numbers: Iterable[int]) -> None:
        number = next((n for n in numbers if n not in used and is_free(port.port, n)), None)
        if number is not None:
            chosen[port.key] = number
            used.add(number)

    # All that can keep their number come first: one that has to move must not take it.
    for port in ports:
        if port.key not in chosen and before.get(port.key):
            choose_from(port, [before[port.key]])
    for port in ports:
        if port.key not in chosen:
            choose_from(port, _candidates(f"{seed}/{port.key}"))
        if port.key not in chosen:
            raise EnvctlError(
                f"no port of this host is free for port {port.port.container} of {port.unit}",
                details=f"All of {FIRST} to {FIRST + COUNT - 1} are in use, or other checkouts have them.",
                hint='name one in the spec, such as ports: ["30080:8000"]',
            )
    return chosen


def _candidates(seed: str) -> Iterator[int]:
    start = _number(seed)
    return (FIRST + (start + offset) % COUNT for offset in range(COUNT))


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


# --- what exists ----------------------------------------------------------------------------


def ports_of_units(observed: Observed) -> dict[str, int]:
    """Return the ports of the host that existing units were made with, by key."""
    return {
        key: number for state in observed.units.values() for key, number in _ports_of(state).items()
    }


def missing_ports(plan: Plan, observed: Observed) -> dict[str, int]:
    """Return the ports that the plan leaves open and that existing units were made with."""
    existing = ports_of_units(observed)
    return {port.key: existing[port.key] for port in open_ports(plan) if port.key in existing}


def ports_in_use(observed: Observed) -> dict[str, int]:
    """Return the ports that units have now. A running unit that has lost its port does not have it.

    A unit that is neither running nor ended, such as a paused one, keeps its ports although the engine lists none.
    """
    return {
        key: number
        for state in observed.units.values()
        for key, number in _ports_of(state).items()
        if state.status in _HOLDS_PORTS
        or any(address.endswith(f":{number}") for address in _addresses(state))
    }


def _addresses(state: UnitState) -> Iterator[str]:
    for addresses in state.published.values():
        yield from addresses


def _ports_of(state: UnitState) -> dict[str, int]:
    try:
        ports: list[dict[str, Any]] = json.loads(state.run)["ports"]
        return {
            port_key(
                state.name, Port(port["container"], 0, port["address"], port["protocol"])
            ): int(port["host"])
            for port in ports
            if port["host"]
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


# --- folders that work without envctl -------------------------------------------------------


def portable_ports(plan: Plan) -> dict[str, int]:
    """Return a host port for each open port, by key: the same in every checkout, and each only once."""
    name = f"{plan.scope.project}-{plan.scope.environment}"
    used = set(fixed_ports(plan))
    chosen: dict[str, int] = {}
    for port in open_ports(plan):
        number = _number(f"{name}/{port.unit}/{port.port.container}") % _PORTABLE_COUNT
        while FIRST + number in used:
            number = (number + 1) % _PORTABLE_COUNT
        chosen[port.key] = FIRST + number
        used.add(FIRST + number)
    return chosen


def with_portable_references(plan: Plan) -> Plan:
    """Return the plan in which the ports that values refer to are fixed, and all others open as before."""
    referenced = {
        reference
        for unit in plan.units
        for value in _values(unit.run.process)
        for reference in referenced_ports(value)
    }
    numbers = portable_ports(plan)
    keys = {port.key for port in open_ports(plan) if (port.unit, port.port.container) in referenced}
    return with_host_ports(plan, {key: numbers[key] for key in keys})
