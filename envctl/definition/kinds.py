"""Kinds of values below a key: scalars, lists, and mappings whose keys are free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envctl.definition.form import Form
from envctl.definition.key import INVALID, Cursor, Reading, ValueKind
from envctl.definition.problems import Problems
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, describe
from envctl.definition.value_readers import InvalidValue, items, unexpected_type
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that one function reads; `schema` is for editors, `title` is its name in the reference."""

    parse: Callable[[Any], Any]
    title: str
    schema: Mapping[str, Any]
    is_template: bool = False
    """Whether its data is still in the syntax of variables, so that it is written unchanged."""

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the value."""
        try:
            value = self.parse(node)
        except InvalidValue as error:
            return cursor.reject(node, error)
        # The position of a scalar is recorded by whoever read its key.
        if not isinstance(node, ScalarNode):
            cursor.record(node, deep=True)
        return value


@dataclass(frozen=True, slots=True)
class ScalarOr:
    """A scalar, or a mapping that names the source of its value."""

    scalar: Scalar
    form: Form

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the value, or the data of the mapping."""
        kind = self.form if isinstance(node, MapNode) else self.scalar
        return kind.read(node, cursor)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; duplicates are dropped if `unique`. `items_name` names its items in messages.

    With `takes_one` an item may stand for a list of it. With `map_keys` a mapping is accepted too: its keys and values become these two keys of the items.
    """

    item: ValueKind
    items_name: str = ""
    unique: bool = False
    map_keys: tuple[str, str] | None = None
    takes_one: bool = False

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the valid items."""
        if self.map_keys and isinstance(node, MapNode):
            return self._read_mapping(node, cursor, *self.map_keys)
        is_one = self.takes_one and isinstance(node, ScalarNode | MapNode)
        if is_one:
            node = ListNode(node.position, [node])
        try:
            nodes = items(node, name=self.items_name)
        except InvalidValue as error:
            return cursor.reject(node, error)
        result: list[Any] = []
        for index, item in enumerate(nodes):
            word = "" if is_one else index
            self._append(item, cursor.enter(word, item.position, (len(result),)), result)
        return list(dict.fromkeys(result)) if self.unique else result

    def _read_mapping(
        self, node: MapNode, cursor: Cursor, name_key: str, value_key: str
    ) -> list[Any]:
        result: list[Any] = []
        for word, item in node.items():
            position = node.positions[word]
            table = MapNode(position)
            table.replaced = item.replaced
            table.put(name_key, ScalarNode(word, position), position)
            inner = cursor.enter(word, position, (len(result),))
            if isinstance(item, MapNode):
                table.update(item)
                table.positions.update(item.positions)
            else:
                table.put(value_key, item, position)
                # The key of the value is not written in the file.
                inner.is_shorthand = True
            self._append(table, inner, result)
        return result

    def _append(self, item: Node, cursor: Cursor, result: list[Any]) -> None:
        cursor.record(item)
        value = self.item.read(item, cursor)
        if value is not INVALID:
            result.append(value)


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys are free; a list of `items_name` gives each of them the `list_value`, if there is one.

    With `name_key` the data is a list of the values, each with its key under this name.
    """

    key: Scalar
    value: ValueKind
    list_value: Any = None
    items_name: str = ""
    name_key: str = ""

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the valid entries."""
        if isinstance(node, MapNode):
            entries = self._entries(node, cursor)
            if self.name_key:
                return [{**value, self.name_key: name} for name, value in entries]
            return dict(entries)
        if self.list_value is None:
            return cursor.reject(node, InvalidValue(f"expected a mapping, got {describe(node)}"))
        try:
            nodes = items(node, name=self.items_name)
        except InvalidValue as error:
            return cursor.reject(node, error)
        return {str(item): self.list_value for item in nodes if self._is_name(item, cursor)}

    def _entries(self, node: MapNode, cursor: Cursor) -> list[tuple[str, Any]]:
        entries: list[tuple[str, Any]] = []
        for word, item in node.items():
            path = (len(entries) if self.name_key else word,)
            inner = cursor.enter(word, node.positions[word], path)
            inner.record(item)
            value = self.value.read(item, inner)
            if self._is_key(word, inner) and value is not INVALID:
                entries.append((word, value))
        return entries

    def _is_name(self, item: Node, cursor: Cursor) -> bool:
        if not isinstance(item, ScalarNode):
            cursor.reject(item, unexpected_type(item, "the name of a service"))
            return False
        inner = cursor.enter(item, item.position, (str(item),))
        inner.record(item)
        return self._is_key(item, inner)

    def _is_key(self, word: str, cursor: Cursor) -> bool:
        if not word or "${" in word:
            # Already reported: the key is missing, or holds a variable.
            cursor.reading.invalid.add(cursor.top)
            return False
        try:
            self.key.parse(word)
        except InvalidValue as error:
            cursor.reject(ScalarNode(word, cursor.position), error)
            return False
        return True


def is_valid(kind: ValueKind, value: Any) -> bool:
    """Whether a plain value would be valid in a spec; used to check hints before they are shown."""
    problems = Problems()
    cursor = Cursor(Reading(problems), "", ("", 1, 1))
    return kind.read(_to_node(value), cursor) is not INVALID and not problems.count


def _to_node(value: Any, position: Position = ("", 1, 1)) -> Node:
    if isinstance(value, dict):
        table = MapNode(position)
        for key, item in value.items():
            table.put(key, _to_node(item, position), position)
        return table
    if isinstance(value, list):
        return ListNode(position, [_to_node(item, position) for item in value])
    return ScalarNode(str(value), position, plain=True)
