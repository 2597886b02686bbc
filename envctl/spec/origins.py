"""Where canonical values come from: the located tree's places, under the canonical paths.

Kept as plain tuples and turned into `Origin`s when asked for: most commands ask for few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from envctl.errors import Place
from envctl.spec.resolved import KeyPath, Origin
from envctl.spec.tree import Items, Node, Replaced, Spot, Table, Text

Raw: TypeAlias = tuple[Spot, Replaced, str]
"""A place, what was there before, and which variables' values it has, in words."""


class Origins(Mapping[KeyPath, Origin]):
    """Origins by path, made from raw places on demand; `load` may bring them later still."""

    def __init__(self, load: Callable[[], dict[KeyPath, Raw]]) -> None:
        self._load = load
        self._raw: dict[KeyPath, Raw] | None = None

    @property
    def raw(self) -> dict[KeyPath, Raw]:
        """The places themselves."""
        if self._raw is None:
            self._raw = self._load()
        return self._raw

    def __getitem__(self, path: KeyPath) -> Origin:
        spot, replaced, note = self.raw[path]
        return Origin(Place(*spot, note), tuple((Place(*place), text) for place, text in replaced))

    def __iter__(self) -> Iterator[KeyPath]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


def collect(
    tree: Table, variables: Mapping[str, Text], data: Mapping[str, Any]
) -> dict[KeyPath, Raw]:
    """The places of everything that the tree sets, under the paths of `data`."""
    found: dict[KeyPath, Raw] = {}
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
    if isinstance(services, Table):
        for name, node in services.items():
            if name not in data["services"]:
                continue
            path: KeyPath = ("services", name)
            found[path] = _raw(node, services.spots[name])
            if "base" in tree and data["services"][name]["base"] is not None:
                found[*path, "base"] = _raw(tree["base"], tree.spots["base"])
            if isinstance(node, Table):
                _service(path, node, found)
    return found


def _raw(node: Node, spot: Spot | None = None) -> Raw:
    """A node's own place, or that of its key."""
    note = node.note if isinstance(node, Text) else ""
    return (spot or node.spot, node.replaced, note)


def _service(path: KeyPath, table: Table, found: dict[KeyPath, Raw]) -> None:
    for key, node in table.items():
        here: KeyPath = (*path, key)
        own = _OWN.get(key)
        if isinstance(node, Text):
            found[here] = _raw(node)
            continue
        found[here] = _raw(node, table.spots[key])
        if own is not None:
            own(here, node, found)
        else:
            _generic(here, node, found)


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
