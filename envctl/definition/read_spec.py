"""From a merged tree to data: reads the tree by the declared keys, and stores where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from envctl.definition.checks import SpecToCheck, check
from envctl.definition.hints import ReadingWithHints
from envctl.definition.key import Cursor, raw_origin
from envctl.definition.keys.build_source import BaseData
from envctl.definition.keys.service import SERVICE, ServiceData
from envctl.definition.keys.spec_file import SPEC, SpecData
from envctl.definition.memo import memoized
from envctl.definition.names import ALLOWED, is_name
from envctl.definition.origins import OriginsByService, RawOrigin
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, Node, Position, ScalarNode, describe, quoted, without
from envctl.definition.value_origin import KeyPath
from envctl.lazy_dataclass import dataclass


def read_spec(
    root: Path,
    tree: MapNode,
    environment: str,
    variables: Mapping[str, ScalarNode],
    *,
    problems: Problems,
    added: AbstractSet[str],
    orphans: AbstractSet[str],
) -> tuple[SpecData, OriginsByService]:
    """Return the data and where it comes from; complete if no problem was found.

    `added` are services of the overlay alone, `orphans` those that extend what cannot be extended.
    """
    services = _services(tree, problems)
    reading = ReadingWithHints(problems)
    head, _ = SPEC.read_parts(without(tree, "services"), Cursor(reading, "", tree.position))
    head["environment"] = environment
    head["project"] = head["project"] or ""
    head["vars"] = {name: str(value) for name, value in variables.items()}
    head["services"] = {}
    data: SpecData = head  # type: ignore[assignment]
    for name, value in variables.items():
        reading.origins["vars", name] = raw_origin(value, value.position)
    origins: OriginsByService = {"": reading.origins}
    base = reading.extra.get("base")
    default = (base, (tree.positions["base"], tree["base"].replaced, "")) if base else None
    invalid: dict[str, frozenset[str]] = {}
    for name, node in services.items():
        service = _read_service(name, node, services.positions[name], problems)
        if service is not None:
            origin = raw_origin(node, services.positions[name])
            data["services"][name], origins[name] = _with_default_base(
                node,  # type: ignore[arg-type]
                service,
                origin,
                default,
            )
            invalid[name] = service.invalid | ({"extends"} if name in orphans else set())
    _require_sources(tree, problems)
    check(SpecToCheck(root, tree, data, problems, origins=origins, invalid=invalid, added=added))
    return data, origins


def _services(tree: MapNode, problems: Problems) -> MapNode:
    """Return the services as they are written; an empty mapping, and a problem, if there are none."""
    services = tree.get("services")
    if isinstance(services, MapNode) and services:
        return services
    problems.add(
        tree.positions.get("services", tree.position),
        f"services: expected a mapping, got {describe(services)}"
        if services
        else "there are no services",
        expected="services: {web: {…}}",
    )
    return MapNode(tree.position)


@dataclass(frozen=True, slots=True)
class ServiceRead:
    """The valid parts of a service. Everything else has been reported."""

    data: ServiceData
    origins: Mapping[KeyPath, RawOrigin]
    invalid: frozenset[str]
    """The keys with a mistake in them, whose values are unknown."""


def _read_service(
    name: str, node: Node, position: Position, problems: Problems
) -> ServiceRead | None:
    if not is_name(name):
        # A missing name has been reported.
        if name:
            problems.add(
                position,
                f"services: {quoted(name)} is not a valid name for a service",
                expected=ALLOWED,
            )
        return None
    if not isinstance(node, MapNode):
        where = node.position if isinstance(node, ScalarNode) else position
        problems.add(where, f"services.{name}: expected a mapping, got {describe(node)}")
        return None

    def read() -> ServiceRead:
        reading = ReadingWithHints(problems)
        data, _ = SERVICE.read_parts(node, Cursor(reading, f"services.{name}", position))
        return ServiceRead(data, reading.origins, frozenset(reading.invalid))  # type: ignore[arg-type]

    return memoized(node, "read", read, problems=problems)


def _with_default_base(
    node: MapNode,
    service: ServiceRead,
    origin: RawOrigin,
    default: tuple[BaseData, RawOrigin] | None,
) -> tuple[ServiceData, dict[KeyPath, RawOrigin]]:
    """Return a service's data and origins, with the file's base unless it has a source of its own."""
    has_source = any(service.data[key] for key in SERVICE.choices)  # type: ignore[literal-required]

    def complete() -> tuple[ServiceData, dict[KeyPath, RawOrigin]]:
        origins = {(): origin, **service.origins}
        if default is None or has_source:
            return service.data, origins
        return {**service.data, "base": default[0]}, {**origins, ("base",): default[1]}

    key = ("complete", origin, default and (*default[0].values(), default[1]))
    data, origins = memoized(node, key, complete)
    if data["depends_on"]:
        # Copied, because the conditions that are left open are decided for each environment.
        data = {**data, "depends_on": dict(data["depends_on"])}
    return data, origins


def _require_sources(tree: MapNode, problems: Problems) -> None:
    secrets = tree.get("secrets")
    if not isinstance(secrets, MapNode):
        return
    for name, node in secrets.items():
        if isinstance(node, MapNode) and not node:
            problems.add(
                secrets.positions[name],
                f"secrets.{name} has no source",
                expected="one or more of env, file, command, generate",
            )
