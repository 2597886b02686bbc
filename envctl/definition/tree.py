"""The located tree: YAML values as str, dict and list that know where they were written.

A scalar stays its source text; whether `8080` is a number is the field's decision, not YAML's.
A spot is a plain (file, line, column) tuple, since a big spec has a hundred thousand of them.
Once made, a node is never changed: environments share what the base file holds, and what has been made of it (`remember`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Final, Self, TypeAlias

from envctl.errors import Place

Spot: TypeAlias = tuple[str, int, int]
Replaced: TypeAlias = tuple[tuple[Spot, str], ...]


class Text(str):
    """A scalar, as source text. `plain` is unquoted; `note` tells which variable's value it holds."""

    __slots__ = ("note", "plain", "replaced", "spot")

    spot: Spot
    plain: bool
    replaced: Replaced
    note: str

    def __new__(cls, value: str, spot: Spot, *, plain: bool = False) -> Self:
        """A scalar that replaces nothing."""
        self = super().__new__(cls, value)
        self.spot = spot
        self.plain = plain
        self.replaced = ()
        self.note = ""
        return self


class Table(dict[str, "Node"]):
    """A mapping; `spots` are its keys' places. A sealed one replaces instead of being merged."""

    __slots__ = ("remembered", "replaced", "sealed", "spot", "spots")

    def __init__(self, spot: Spot) -> None:
        super().__init__()
        self.spot: Spot = spot
        self.spots: dict[str, Spot] = {}
        self.replaced: Replaced = ()
        self.sealed = False
        self.remembered: dict[Hashable, Any] = {}

    def put(self, key: str, node: Node, spot: Spot) -> None:
        """Set a key that was written at `spot`."""
        self[key] = node
        self.spots[key] = spot


class Items(list["Node"]):
    """A list."""

    __slots__ = ("remembered", "replaced", "spot")

    def __init__(self, spot: Spot, nodes: list[Node] | None = None) -> None:
        super().__init__(nodes or ())
        self.spot: Spot = spot
        self.replaced: Replaced = ()
        self.remembered: dict[Hashable, Any] = {}


class Extend:
    """A list written with !prepend or !append: what goes before and after the list it extends."""

    __slots__ = ("after", "before", "remembered", "replaced", "spot")

    def __init__(self, spot: Spot, before: list[Node], after: list[Node]) -> None:
        self.spot: Spot = spot
        self.before = before
        self.after = after
        self.replaced: Replaced = ()
        self.remembered: dict[Hashable, Any] = {}


class Null:
    """A value left empty or written `null`: it removes what is there."""

    __slots__ = ("replaced", "spot")

    def __init__(self, spot: Spot) -> None:
        self.spot: Spot = spot
        self.replaced: Replaced = ()


Node: TypeAlias = Text | Table | Items | Extend | Null


def place(spot: Spot) -> Place:
    """The spot as others know it."""
    return Place(*spot)


def shown(value: Any, limit: int = 60) -> str:
    """A value in a message: quoted, on one line, cut at `limit` characters."""
    text = str(value)
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


_BRIEF: Final = 80


def brief(node: Node) -> str:
    """A value in a few words, for "was …": a scalar as it is, a collection on one line."""
    text = ""
    for part in _flow(node):
        text += part
        if len(text) > _BRIEF:
            return text[: _BRIEF - 1] + "…"
    return text


def _flow(node: Node) -> Iterator[str]:
    """A value on one line, piece by piece: only its beginning may be asked for."""
    match node:
        case Text():
            yield " ".join(node[: 4 * _BRIEF].split())
        case Table():
            for index, (key, item) in enumerate(node.items()):
                yield f"{', ' if index else '{'}{key}: "
                yield from _flow(item)
            yield "}" if node else "{}"
        case Items():
            yield from _listed(node)
        case Extend():
            yield from _listed([*node.before, *node.after])
        case Null():
            yield "null"


def _listed(nodes: list[Node]) -> Iterator[str]:
    yield "["
    for index, item in enumerate(nodes):
        if index:
            yield ", "
        yield from _flow(item)
    yield "]"


def listed(words: list[str], between: str) -> str:
    """Words in a row, of a long one the first and the last."""
    return between.join(words if len(words) <= 12 else [*words[:6], "…", *words[-5:]])


def what(node: object) -> str:
    """What kind of thing a node is, in words."""
    match node:
        case str():
            return shown(node)
        case Table():
            return "a mapping"
        case Items() | Extend():
            return "a list"
        case _:
            return "nothing"


def copied(node: Node, replaced: Replaced) -> Node:
    """The node again, replacing something; nodes are shared, so none is ever changed in place."""
    match node:
        case Text():
            text = Text(node, node.spot, plain=node.plain)
            text.note = node.note
            text.replaced = replaced
            return text
        case Table():
            table = Table(node.spot)
            table.update(node)
            table.spots = dict(node.spots)
            table.replaced = replaced
            table.sealed = node.sealed
            return table
        case Items():
            items = Items(node.spot, node)
            items.replaced = replaced
            return items
        case Extend():
            extend = Extend(node.spot, node.before, node.after)
            extend.replaced = replaced
            return extend
        case Null():
            null = Null(node.spot)
            null.replaced = replaced
            return null
