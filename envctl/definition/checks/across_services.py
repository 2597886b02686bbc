"""Checks of all services together: names of replicas, ports of the host, owners of volumes, circular dependencies."""

from __future__ import annotations

from collections.abc import Iterator

from envctl.definition.checks.spec_to_check import SpecToCheck, see
from envctl.definition.tree import Position, abbreviated


def check_across_services(spec: SpecToCheck) -> None:
    """Check that services share nothing that only one of them can have."""
    _check_replica_names(spec)
    _check_ports(spec)
    _check_volume_owners(spec)
    _check_circles(spec)


def _check_replica_names(spec: SpecToCheck) -> None:
    """Check that no service has the name of another one's replica, such as web-2."""
    services = spec.data["services"]
    for name in services:
        service, dash, number = name.rpartition("-")
        if dash and service in services and number in _numbers(services[service]["replicas"]):
            spec.problems.add(
                spec.tree.positions[name],
                f"services.{name} has the name of a replica of {service!r}",
                hint=f"rename it, or reduce the replicas of {service}",
            )


def _numbers(replicas: int) -> list[str]:
    """Return the numbers in the names of a service's replicas; the first has none."""
    return [str(number) for number in range(2, replicas + 1)]


def _check_ports(spec: SpecToCheck) -> None:
    """Check that no two services use the same port of the host."""
    used: dict[tuple[int, str], tuple[str, Position]] = {}
    for name, service in spec.data["services"].items():
        for index, port in enumerate(service["ports"]):
            if not port["host"]:
                continue
            position = spec.position(name, "ports", index)
            key = (port["host"], port["protocol"])
            if service["replicas"] > 1:
                spec.problems.add(
                    position,
                    f"services.{name}: {service['replicas']} replicas cannot share the host's port {port['host']}",
                    hint=f'write "{port["container"]}" and each gets a free port',
                )
            elif key in used:
                other, where = used[key]
                owner = "itself" if other == name else f"services.{other}"
                spec.problems.add(
                    position,
                    f"services.{name}: the host's port {port['host']} is already used by {owner}",
                    hint="; ".join(filter(None, [see(where), _variables_of(spec, name, index)])),
                )
            used.setdefault(key, (name, position))


def _variables_of(spec: SpecToCheck, service: str, index: int) -> str:
    """Which variables a port of the host comes from."""
    places = spec.origins[service]
    return places.get(("ports", index, "host"), places["ports", index])[2]


def _check_volume_owners(spec: SpecToCheck) -> None:
    """Check that all services set the same owner for a volume, which is created only once."""
    known: dict[str, tuple[str, str, Position]] = {}
    for name, service in spec.data["services"].items():
        for volume, data in service["volumes"].items():
            if not data["owner"]:
                continue
            position = spec.position(name, "volumes", volume, "owner")
            other, owner, where = known.setdefault(volume, (name, data["owner"], position))
            if owner != data["owner"]:
                spec.problems.add(
                    position,
                    f"services.{name}: the volume {volume} cannot have the owner {data['owner']}:"
                    f" services.{other} sets {owner}",
                    hint=f"{see(where)}; write `owner` once",
                )


def _check_circles(spec: SpecToCheck) -> None:
    done: set[str] = set()
    for start in spec.data["services"]:
        if start not in done:
            _follow(spec, start, done)


def _follow(spec: SpecToCheck, start: str, done: set[str]) -> None:
    """Walk depth first without recursion: a chain may be as long as there are services."""
    trail: list[tuple[str, Iterator[str]]] = [(start, _dependencies(spec, start))]
    on_trail = {start: 0}
    while trail:
        name, dependencies = trail[-1]
        needed = next(dependencies, None)
        if needed is None:
            trail.pop()
            on_trail.pop(name)
            done.add(name)
        elif needed in on_trail:
            circle = [service for service, _ in trail[on_trail[needed] :]]
            spec.problems.add(
                spec.position_of_name(name, "depends_on", needed),
                f"services depend on each other in a circle: {abbreviated([*circle, needed], ' → ')}",
            )
        elif needed not in done:
            on_trail[needed] = len(trail)
            trail.append((needed, _dependencies(spec, needed)))


def _dependencies(spec: SpecToCheck, name: str) -> Iterator[str]:
    services = spec.data["services"]
    return iter([needed for needed in services[name]["depends_on"] if needed in services])
