"""`with`: the parameters of an entry of a catalogue, and the entry's service with their values."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Final

from envctl.definition.entries import PREFIX, Entry
from envctl.definition.keys.entry import PARAMETER_KINDS
from envctl.definition.problems import Problems, similar, suggestion
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    NullNode,
    ScalarNode,
    describe,
    quoted,
)
from envctl.definition.value_readers import InvalidValue

SERVICE: Final = "service"
"""A parameter that every entry has: the name of the service that extends it."""
_DOLLAR: Final = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_WILDCARD: Final = re.compile(r"[*?\[]")


class _NoValueError(Exception):
    """A parameter without a value: what uses it is left out."""


def parameter_values(
    entry: Entry, arguments: MapNode, name: str, *, start: ScalarNode, problems: Problems
) -> Mapping[str, ScalarNode | None] | None:
    """Return the value of each parameter, None for one that has none. None if there are mistakes, which are reported.

    `arguments` is the value of `with` in the service of that name, `start` the value of its `extends`.
    """
    count = problems.count
    path = f"services.{name}.with"
    declared = entry.data["parameters"]
    values: dict[str, ScalarNode | None] = {SERVICE: ScalarNode(name, start.position)}
    for word in arguments:
        if word not in declared:
            problems.add(
                arguments.positions[word],
                f"{path}: {PREFIX}{entry.name} has no parameter {quoted(word)}",
                hint=suggestion(word, declared) if declared else "it has none: remove `with`",
            )
    for word, parameter in declared.items():
        node = arguments.get(word)
        if parameter["required"] and isinstance(node, NullNode | None):
            problems.add(
                arguments.positions.get(word, start.position),
                f"{path} lacks {word!r}: {parameter['description']}",
                expected=f"with: {{{word}: …}}",
                hint=f"`envctl catalogue show {entry.name}` shows all parameters",
            )
        elif node is not None:
            values |= _argument(word, node, f"{path}.{word}", parameter["kind"], problems)
        else:
            values |= _by_default(word, entry, values, problems)
    return values if problems.count == count else None


def _argument(
    word: str, node: Node, path: str, kind: str, problems: Problems
) -> Mapping[str, ScalarNode | None]:
    """Return the value that the service gives."""
    if isinstance(node, NullNode):
        return _parts(word, None, kind)
    try:
        if not isinstance(node, ScalarNode):
            raise InvalidValue(f"expected a text or a number, got {describe(node)}")
        PARAMETER_KINDS[kind].parse(node)
        return _parts(word, node, kind)
    except InvalidValue as error:
        hint = "; ".join(filter(None, [error.hint, getattr(node, "note", "")]))
        problems.add(node.position, f"{path}: {error.message}", expected=error.expected, hint=hint)
        return {}


def _by_default(
    word: str, entry: Entry, values: Mapping[str, ScalarNode | None], problems: Problems
) -> Mapping[str, ScalarNode | None]:
    parameter = entry.parameters[word]
    default = parameter.get("default") if isinstance(parameter, MapNode) else None
    kind = entry.data["parameters"][word]["kind"]
    if not isinstance(default, ScalarNode):
        return _parts(word, None, kind)
    try:
        return _parts(word, _Filler(values, problems).text(default), kind)
    except _NoValueError:
        return _parts(word, None, kind)


def _parts(word: str, value: ScalarNode | None, kind: str) -> Mapping[str, ScalarNode | None]:
    """Return a parameter and, if its value is a pattern of files, the folder and the pattern within it."""
    if kind == "file" and value is not None:
        return {word: _like(value, posixpath.normpath(value))}
    if kind != "files":
        return {word: value}
    if value is None:
        return {word: None, f"{word}_folder": None, f"{word}_pattern": None}
    folder, _, pattern = value.rpartition("/")
    if _WILDCARD.search(folder):
        raise InvalidValue(
            f"{quoted(value)} has a wildcard before the last /",
            expected="a pattern such as db/*.sql",
        )
    return {
        word: value,
        f"{word}_folder": _like(value, posixpath.normpath(folder or ".")),
        f"{word}_pattern": _like(value, pattern or "*"),
    }


def _like(value: ScalarNode, text: str) -> ScalarNode:
    """Return a text that comes from a value."""
    node = ScalarNode(text, value.position)
    node.note, node.replaced = value.note, value.replaced
    return node


def service_of(
    entry: Entry, values: Mapping[str, ScalarNode | None], problems: Problems
) -> MapNode:
    """Return the entry's service with the values of its parameters."""
    filled = _Filler(values, problems).node(entry.service, in_list=False)
    assert isinstance(filled, MapNode)  # filling in values keeps the kind of node
    return filled


class _Filler:
    """Replaces `${name}` by values of parameters.

    A list item or key that uses a parameter without a value is left out.
    """

    def __init__(self, values: Mapping[str, ScalarNode | None], problems: Problems) -> None:
        self._values = values
        self._problems = problems

    def node(self, node: Node, *, in_list: bool) -> Node:
        """Return the node with values. _NoValueError if it has to be left out."""
        match node:
            case ScalarNode():
                return self.text(node)
            case MapNode():
                return self._table(node, in_list=in_list)
            case ListNode():
                return ListNode(node.position, self._items(node), node.replaced)
            case _:
                return node

    def _items(self, nodes: Iterable[Node]) -> list[Node]:
        items: list[Node] = []
        for node in nodes:
            try:
                items.append(self.node(node, in_list=True))
            except _NoValueError:
                continue
        return items

    def _table(self, node: MapNode, *, in_list: bool) -> MapNode:
        table = MapNode(node.position)
        table.replaced, table.sealed = node.replaced, node.sealed
        for key, item in node.items():
            position = node.positions[key]
            try:
                name = self.text(ScalarNode(key, position))
                table.put(str(name), self.node(item, in_list=in_list), position)
            except _NoValueError:
                if in_list:
                    raise
        return table

    def text(self, node: ScalarNode) -> ScalarNode:
        """Return a text with values. One that is a parameter and nothing else is the value, with the place of it."""
        if "$" not in node:
            return node
        whole = _DOLLAR.fullmatch(node)
        if whole and whole[0] != "$$":
            return self._value(whole, node) or node
        notes: list[str] = []

        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            parameter = self._value(match, node)
            if parameter is None:
                return match[0]
            notes.append(f"{match[1]} is {quoted(parameter)}")
            return str(parameter)

        text = ScalarNode(_DOLLAR.sub(value, node), node.position, plain=node.plain and not notes)
        text.note = "; ".join(dict.fromkeys(notes))
        return text

    def _value(self, match: re.Match[str], node: ScalarNode) -> ScalarNode | None:
        """Return the value of the parameter that is named; None if there is no such parameter, which is reported."""
        name = match[1]
        if match[2] and name in self._values:
            value = self._values[name]
            if value is None:
                raise _NoValueError
            return value
        self._problems.add(
            node.position,
            f"the parameter {quoted(name)} is not declared",
            expected="${name} of an entry of `parameters`, or ${service}",
            hint=similar(name, self._values) or "for a literal ${ write $${",
        )
        return None
