"""The located tree: YAML values as str, dict and list that know where they were written.

A scalar stays its source text; whether `8080` is a number is decided by the key it belongs to, not by YAML.
A position is a plain (file, line, column) tuple, since a big spec has a hundred thousand of them.
A finished node never changes: environments share the nodes of the base file, and what was made from them (`memo`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Self, TypeAlias

from envctl.errors import Place

Position: TypeAlias = tuple[str, int, int]
Replaced: TypeAlias = tuple[tuple[Position, str], ...]


class ScalarNode(str):
    """A scalar as source text. `plain` means not quoted; `note` says which variables its value comes from."""

    __slots__ = ("note", "plain", "position", "replaced")

    position: Position
    plain: bool
    replaced: Replaced
    note: str

    def __new__(cls, value: str, position: Position, *, plain: bool = False) -> Self:
        """Return a scalar that replaces nothing."""
        self = super().__new__(cls, value)
        self.position = position
        self.plain = plain
        self.replaced = ()
        self.note = ""
        return self


class MapNode(dict[str, "Node"]):
    """A mapping; `positions` are those of its keys. A sealed one replaces another mapping instead of being merged."""

    __slots__ = ("memo", "position", "positions", "replaced", "sealed")

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position: Position = position
        self.positions: dict[str, Position] = {}
        self.replaced: Replaced = ()
        self.sealed = False
        self.memo: dict[Hashable, Any] = {}

    def put(self, key: str, node: Node, position: Position) -> None:
        """Set a key that was written at `position`."""
        self[key] = node
        self.positions[key] = position


class ListNode(list["Node"]):
    """A list."""

    __slots__ = ("memo", "position", "replaced")

    def __init__(
        self, position: Position, nodes: Iterable[Node] = (), replaced: Replaced = ()
    ) -> None:
        super().__init__(nodes)
        self.position = position
        self.replaced = replaced
        self.memo: dict[Hashable, Any] = {}


class ListExtension:
    """A list written with !prepend, !append or !remove: what to add before and after another list, and to remove from it.

    `removed` are texts or ids of items, each with its place, or None if it removed something already.
    """

    __slots__ = ("after", "before", "memo", "position", "removed", "replaced")

    def __init__(
        self,
        position: Position,
        before: list[Node],
        after: list[Node],
        *,
        removed: Mapping[str, Position | None] = MappingProxyType({}),
        replaced: Replaced = (),
    ) -> None:
        self.position = position
        self.before = before
        self.after = after
        self.removed = removed
        self.replaced = replaced
        self.memo: dict[Hashable, Any] = {}


class NullNode:
    """An empty value or `null`: it removes the previous value."""

    __slots__ = ("position", "replaced")

    def __init__(self, position: Position, replaced: Replaced = ()) -> None:
        self.position = position
        self.replaced = replaced


Node: TypeAlias = ScalarNode | MapNode | ListNode | ListExtension | NullNode


def as_place(position: Position) -> Place:
    """Convert the position to a `Place`, which the rest of envctl uses."""
    return Place(*position)


def quoted(value: Any, limit: int = 60) -> str:
    """Return a value in a message: quoted, on one line, cut at `limit` characters."""
    text = str(value)
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def children(node: Node) -> Iterable[Node]:
    """Return the values of a mapping, the items of a list, nothing in any other node."""
    match node:
        case MapNode():
            return node.values()
        case ListNode():
            return node
        case ListExtension():
            return [*node.before, *node.after]
        case _:
            return ()


_SUMMARY: Final = 80


def summary(node: Node) -> str:
    """Return a value in a few words, for "was …": collections on one line."""
    text = ""
    for part in _flow(node):
        text += part
        if len(text) > _SUMMARY:
            return text[: _SUMMARY - 1] + "…"
    return text


def _flow(node: Node) -> Iterator[str]:
    """Yield a value on one line, piece by piece, since only its beginning may be needed."""
    match node:
        case ScalarNode():
            yield " ".join(node[: 4 * _SUMMARY].split())
        case MapNode():
            for index, (key, item) in enumerate(node.items()):
                yield f"{', ' if index else '{'}{key}: "
                yield from _flow(item)
            yield "}" if node else "{}"
        case ListNode() | ListExtension():
            yield "["
            for index, item in enumerate(children(node)):
                yield ", " if index else ""
                yield from _flow(item)
            yield "]"
        case NullNode():
            yield "null"


def abbreviated(words: list[str], separator: str) -> str:
    """Join words; if there are many, only the first and the last ones."""
    return separator.join(words if len(words) <= 12 else [*words[:6], "…", *words[-5:]])


def describe(node: object) -> str:
    """Describe what kind of value a node is."""
    match node:
        case str():
            return quoted(node)
        case MapNode():
            return "a mapping"
        case ListNode() | ListExtension():
            return "a list"
        case _:
            return "nothing"


def with_history(node: Node, replaced: Replaced) -> Node:
    """Return a copy of the node that replaces something. Nodes are shared, so none is changed in place."""
    match node:
        case ScalarNode():
            text = ScalarNode(node, node.position, plain=node.plain)
            text.note = node.note
            text.replaced = replaced
            return text
        case MapNode():
            table = without(node)
            table.replaced = replaced
            return table
        case ListNode():
            return ListNode(node.position, node, replaced)
        case ListExtension():
            return ListExtension(
                node.position, node.before, node.after, removed=node.removed, replaced=replaced
            )
        case NullNode():
            return NullNode(node.position, replaced)


def without(table: MapNode, *keys: str) -> MapNode:
    """Return a copy of a mapping, without these keys."""
    result = MapNode(table.position)
    result.update((key, node) for key, node in table.items() if key not in keys)
    result.positions = {key: table.positions[key] for key in result}
    result.replaced = table.replaced
    result.sealed = table.sealed
    return result
