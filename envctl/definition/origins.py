"""Where canonical values come from: the located tree's places, under the canonical paths.

Kept as plain tuples and turned into `Origin`s when asked for: most commands ask for few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from typing import Any, TypeAlias

from envctl.definition.remember import remembered
from envctl.definition.tree import Items, Node, Replaced, Spot, Table, Text
from envctl.definition.value_origin import KeyPath, Origin
from envctl.errors import Place

Raw: TypeAlias = tuple[Spot, Replaced, str]
"""A place, what was there before, and which variables' values it has, in words."""
Parts: TypeAlias = dict[str, dict[KeyPath, Raw]]
"""Places by path: by service, and under "" those of everything else."""


class Origins(Mapping[KeyPath, Origin]):
    """Origins by path, made from raw places on demand; `load` may bring them later still."""

    def __init__(self, load: Callable[[], Parts]) -> None:
        self._load = load

    @cached_property
    def parts(self) -> Parts:
        """The places themselves."""
        return self._load()

    def __getitem__(self, path: KeyPath) -> Origin:
        spot, replaced, note = self._raw(path)
        return Origin(Place(*spot, note), tuple((Place(*place), text) for place, text in replaced))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, tuple) and path in self.parts.get(part_of(path), ())

    def place(self, path: KeyPath) -> Place:
        """Where the value was set; KeyError."""
        spot, _, note = self._raw(path)
        return Place(*spot, note)

    def of_service(self, name: str) -> Mapping[KeyPath, Raw]:
        """The places of a service's values."""
        return self.parts.get(name, {})

    def _raw(self, path: KeyPath) -> Raw:
        return self.parts[part_of(path)][path]

    def __iter__(self) -> Iterator[KeyPath]:
        return chain.from_iterable(self.parts.values())

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def without(self, path: KeyPath) -> Origins:
        """The same but for one path."""
        part = part_of(path)
        kept = {key: raw for key, raw in self.parts.get(part, {}).items() if key != path}
        return Origins(lambda: {**self.parts, part: kept})


def part_of(path: KeyPath) -> str:
    """The service that a path leads to; "" if to none."""
    return str(path[1]) if len(path) > 1 and path[0] == "services" else ""


def collect(tree: Table, variables: Mapping[str, Text], data: Mapping[str, Any]) -> Parts:
    """The places of everything that the tree sets, under the paths of `data`."""
    found: dict[KeyPath, Raw] = {}
    parts = {"": found}
    for key in ("project", "backend"):
        if key in tree:
            found[key,] = _raw(tree[key])
    for name, value in variables.items():
        found["vars", name] = _raw(value)
    if isinstance(secrets := tree.get("secrets"), Table):
        _entries(("secrets",), secrets, found)
    if "accept" in tree:
        found["accept",] = _raw(tree["accept"], tree.spots["accept"])
        _generic(("accept",), tree["accept"], found)
    services = tree.get("services")
    default = _raw(tree["base"], tree.spots["base"]) if "base" in tree else None
    if isinstance(services, Table):
        for name, service in data["services"].items():
            base = default if service["base"] is not None else None
            parts[name] = _of_service(name, services, base)
    return parts


def _raw(node: Node, spot: Spot | None = None) -> Raw:
    """A node's own place, or that of its key."""
    note = node.note if isinstance(node, Text) else ""
    return (spot or node.spot, node.replaced, note)


def _of_service(name: str, services: Table, base: Raw | None) -> dict[KeyPath, Raw]:
    """The places of a service's values; `base` is that of a base which it does not set itself."""
    node = services[name]
    assert isinstance(node, Table)  # it is valid
    own = _raw(node, services.spots[name])
    made_of = ("origins", name, own, base)
    return remembered(node, made_of, partial(_service, name, node, own, base))


def _service(name: str, table: Table, own: Raw, base: Raw | None) -> dict[KeyPath, Raw]:
    path: KeyPath = ("services", name)
    found: dict[KeyPath, Raw] = {path: own}
    if base is not None:
        found[*path, "base"] = base
    for key, node in table.items():
        here: KeyPath = (*path, key)
        collector = _OWN.get(key)
        if isinstance(node, Text):
            found[here] = _raw(node)
            continue
        found[here] = _raw(node, table.spots[key])
        if collector is not None:
            collector(here, node, found)
        else:
            _generic(here, node, found)
    return found


def _generic(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
    if isinstance(node, Table):
        _entries(path, node, found)
    elif isinstance(node, Items):
        for index, item in enumerate(node):
            found[*path, index] = _raw(item)
            if not isinstance(item, Text):
                _generic((*path, index), item, found)


def _entries(path: KeyPath, table: Table, found: dict[KeyPath, Raw]) -> None:
    for key, node in table.items():
        if isinstance(node, Text):
            found[*path, key] = _raw(node)
        else:
            found[*path, key] = _raw(node, table.spots[key])
            _generic((*path, key), node, found)


def _numbered(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
    """A mapping that has become a list, in its order."""
    if not isinstance(node, Table):
        _generic(path, node, found)
        return
    for index, (key, item) in enumerate(node.items()):
        found[*path, index] = _raw(item, node.spots[key])
        _generic((*path, index), item, found)


def _named(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
    """A list of names that has become a mapping."""
    if not isinstance(node, Items):
        _generic(path, node, found)
        return
    for item in node:
        found[*path, str(item)] = _raw(item)


def _build(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
    for index, step in enumerate(node if isinstance(node, Items) else ()):
        found[*path, index] = _raw(step)
        for body in step.values() if isinstance(step, Table) else ():
            for key, value in body.items() if isinstance(body, Table) else ():
                name = {"from": "source", "to": "target"}.get(key, key)
                found[*path, index, name] = _raw(value)


def _renamed(names: Mapping[str, str]) -> Callable[[KeyPath, Node, dict[KeyPath, Raw]], None]:
    def collect_renamed(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
        for key, value in node.items() if isinstance(node, Table) else ():
            found[*path, names.get(key, key)] = _raw(value)

    return collect_renamed


def _ports(path: KeyPath, node: Node, found: dict[KeyPath, Raw]) -> None:
    for index, port in enumerate(node if isinstance(node, Items) else ()):
        found[*path, index] = _raw(port)
        _renamed({"public": "address"})((*path, index), port, found)


_OWN: Mapping[str, Callable[[KeyPath, Node, dict[KeyPath, Raw]], None]] = {
    "mounts": _numbered,
    "checks": _numbered,
    "depends_on": _named,
    "build": _build,
    "ports": _ports,
    "healthcheck": _renamed({"http": "test", "tcp": "test", "command": "test"}),
}
