"""Checks where values refer to ports of the host, such as `${port.web.8000}`, and that these ports exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.definition.problems import Problems, suggestion
from envctl.definition.service_readers import port_parts
from envctl.definition.tree import ListNode, MapNode, Node, ScalarNode
from envctl.definition.value_origin import KeyPath
from envctl.definition.value_readers import InvalidValue
from envctl.errors import EnvctlError
from envctl.plan.port_references import referenced_ports

EXPECTED: Final = "a port of the host only in texts of env and in command of a service"
"""The only keys that may refer to ports. They apply when a process starts, so images are the same for all checkouts."""


def check_port_variables(tree: MapNode, problems: Problems) -> None:
    """Check all references to ports in a normalized spec. A value with such a mistake gets no further reports."""
    services = tree.get("services")
    names = services if isinstance(services, MapNode) else MapNode(tree.position)
    for path, node in _scalars(tree, ()):
        for unit, port in referenced_ports(node):
            variable = f"${{port.{unit}.{port}}}"
            if not _is_allowed(path):
                problems.add(
                    node.position,
                    f"{'.'.join(map(str, path))}: {variable} is not known here",
                    expected=EXPECTED,
                    hint="each checkout has its own ports; images and all else are the same",
                )
                problems.suppress(node.position)
            else:
                _check_port(unit, port, names, node, problems)


def _is_allowed(path: KeyPath) -> bool:
    """Whether the path is a text of `env`, or a command. Templates of secrets cannot refer to ports."""
    return path[:1] == ("services",) and path[2:3] in (("env",), ("command",)) and len(path) <= 4


def _check_port(
    unit: str, port: int, services: MapNode, node: ScalarNode, problems: Problems
) -> None:
    service = _service_of(unit, services)
    if service is None:
        problems.add(
            node.position,
            f"${{port.{unit}.{port}}}: there is no service {unit!r}",
            hint=suggestion(unit, services),
        )
        return
    published = _published(services[service])
    if published is not None and port not in published:
        problems.add(
            node.position,
            f"${{port.{unit}.{port}}}: {unit} publishes no port {port}",
            expected=" or ".join(f"${{port.{unit}.{number}}}" for number in published),
            hint="" if published else f'services.{service}: ports: ["{port}"]',
        )


def _service_of(unit: str, services: MapNode) -> str | None:
    """Return the service of a unit: web for web, and for web-2 where there are replicas."""
    if unit in services:
        return unit
    service, dash, number = unit.rpartition("-")
    node = services.get(service)
    replicas = node.get("replicas") if isinstance(node, MapNode) else None
    if not dash or not number.isdecimal() or not isinstance(replicas, ScalarNode):
        return None
    is_replica = replicas.isdecimal() and 2 <= int(number) <= int(replicas)
    return service if is_replica else None


def _published(service: Node) -> list[int] | None:
    """Return the ports inside that a service publishes; None if they are not valid, which is reported elsewhere."""
    ports = service.get("ports") if isinstance(service, MapNode) else None
    numbers = []
    for port in ports if isinstance(ports, ListNode) else ():
        try:
            word = port.get("container") if isinstance(port, MapNode) else port
            parts = {"container": word} if isinstance(port, MapNode) else port_parts(word)
            numbers.append(int(str(parts["container"])))
        except (InvalidValue, EnvctlError, ValueError, KeyError):
            return None
    return numbers


def _scalars(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    """Yield all scalars below a node, with their paths."""
    match node:
        case ScalarNode():
            yield path, node
        case MapNode():
            for key, item in node.items():
                yield from _scalars(item, (*path, key))
        case ListNode():
            for index, item in enumerate(node):
                yield from _scalars(item, (*path, index))
