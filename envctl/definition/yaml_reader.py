"""YAML to a tree that knows positions. Whatever the bytes are, the result is a tree or a list of mistakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from envctl.definition.problems import LINE_BREAK, UNPRINTABLE, Problems
from envctl.definition.syntax_errors import explain
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    describe,
)
from envctl.host.safe_read import InsideError, read_inside

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
MAX_ALIASED = 50_000
"""The number of nodes that all aliases together may stand for: a bomb has millions, a real spec some hundred."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_MERGE = "<<"
_LIST_TAGS = ("!append", "!prepend", "!remove")


class _Stop(Exception):  # noqa: N818 — control flow within this module
    """Ends the reading of a file; the mistake has been reported."""


def read(root: Path, file: str, problems: Problems) -> bytes | None:
    """Read the bytes of a spec file; None if it cannot be read, which is reported."""
    start = (file, 1, 1)
    try:
        return read_inside(root, file, largest=MAX_BYTES)
    except InsideError as error:
        problems.add(start, error.brief, expected="a YAML file of the project", hint=error.hint)
    except OSError as error:
        problems.add(start, f"{file} cannot be read: {error.strerror or error}")
    return None


def parse(data: bytes, file: str, problems: Problems) -> MapNode | None:
    """Return the top mapping of a file, which is empty for an empty file. None if the file holds something else, which is reported."""
    text = _decode(data, file, problems)
    if text is None:
        return None
    problems.add_source(file, text)
    table, mistakes = _parsed(text, file)
    for position, message, expected, hint in mistakes:
        problems.add(position, message, expected=expected, hint=hint)
    return table


def parse_tagged(
    data: bytes, file: str, tags: Collection[str], problems: Problems
) -> tuple[MapNode | None, Mapping[Position, str]]:
    """As `parse`, for another tool's file with tags of its own: which of them stands at which place."""
    text = _decode(data, file, problems)
    if text is None:
        return None, {}
    problems.add_source(file, text)
    reader = _Reader(file, tags)
    table = reader.read(text)
    for position, message, expected, hint in reader.mistakes:
        problems.add(position, message, expected=expected, hint=hint)
    return table, reader.tagged


def parse_leniently(data: bytes, file: str) -> MapNode | None:
    """Return the top mapping of a file as far as it can be read; mistakes are not reported."""
    text = _decoded(data)
    return (
        _parsed(text, file)[0] if isinstance(text, str) and not UNPRINTABLE.search(text) else None
    )


@lru_cache(maxsize=8)
def _parsed(
    text: str, file: str
) -> tuple[MapNode | None, tuple[tuple[Position, str, str, str], ...]]:
    """Parse a text, once per run: trees never change, so all environments share the tree of their base file."""
    reader = _Reader(file)
    table = reader.read(text)
    return table, tuple(reader.mistakes)


def _decode(data: bytes, file: str, problems: Problems) -> str | None:
    text = _decoded(data)
    if isinstance(text, UnicodeDecodeError):
        before = data[: text.start].decode("utf-8", "replace")
        problems.add(_spot_after(before, file), "this is not UTF-8 text", hint="save it as UTF-8")
        return None
    bad = UNPRINTABLE.search(text)
    if bad:
        problems.add_source(file, text)
        name = "a NUL" if bad[0] == "\0" else f"the control character U+{ord(bad[0]):04X}"
        problems.add(
            _spot_after(text[: bad.start()], file),
            f"{name} is not allowed in YAML",
            hint="" if bad[0] == "\0" else f'write it as an escape: "\\u{ord(bad[0]):04X}"',
        )
        return None
    return text


def _decoded(data: bytes) -> str | UnicodeDecodeError:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error


def _spot_after(before: str, file: str) -> Position:
    lines = LINE_BREAK.split(before)
    return (file, len(lines), len(lines[-1]) + 1)


class _Open:
    """A mapping or list whose end has not been reached."""

    __slots__ = ("anchor", "count", "key", "node", "tag")

    def __init__(
        self, node: MapNode | ListNode, tag: str | None, anchor: str | None, count: int
    ) -> None:
        self.node = node
        self.tag = tag
        self.anchor = anchor
        self.count = count
        self.key: tuple[str, Position] | None = None


class _Reader:
    """Builds the tree from parse events. It has its own stack, so that depth cannot overflow Python's."""

    def __init__(self, file: str, tags: Collection[str] = ()) -> None:
        self.file = file
        self.tags = tags
        self.tagged: dict[Position, str] = {}
        self.mistakes: list[tuple[Position, str, str, str]] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.count = 0
        self.aliased = 0
        self.documents = 0
        self.root: Node | None = None
        self.text = ""

    def read(self, text: str) -> MapNode | None:
        """Return the top mapping, or None."""
        self.text = text
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                handle = _HANDLERS.get(type(event))
                if handle:
                    if self.tags and getattr(event, "tag", None) in self.tags:
                        self._note_tag(event)
                    handle(self, event)
        except _Stop:
            return None
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
            return None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self._add((self.file, 1, 1), f"this is not YAML: {' '.join(str(error).split())[:200]}")
            return None
        if self.root is None or isinstance(self.root, NullNode):
            return MapNode((self.file, 1, 1))
        if not isinstance(self.root, MapNode):
            self._add(
                self.root.position,
                f"expected a mapping, got {describe(self.root)}",
                "name: value …",
            )
            return None
        return self.root

    def _note_tag(self, event: Any) -> None:
        """Remember a tag that the caller knows, and read its value as if it had none."""
        self.tagged[self._spot(event.start_mark)] = event.tag
        if isinstance(event, yaml.ScalarEvent):
            event.implicit = (not event.style, True)
        event.tag = None

    def _add(self, position: Position, message: str, expected: str = "", hint: str = "") -> None:
        self.mistakes.append((position, message, expected, hint))

    def _stop(
        self, position: Position, message: str, *, expected: str = "", hint: str = ""
    ) -> _Stop:
        self._add(position, message, expected, hint)
        return _Stop()

    def _spot(self, mark: Any) -> Position:
        return (self.file, mark.line + 1, mark.column + 1)

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mistake = explain(self.text, error)
        position = (self.file, mistake.line, mistake.column)
        self._add(position, mistake.message, mistake.expected, mistake.hint)

    # --- events

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self._stop(
                self._spot(event.start_mark),
                "a second document begins here",
                expected="one document in a file",
            )

    def mapping(self, event: Any) -> None:
        self._open(MapNode(self._spot(event.start_mark)), event)

    def sequence(self, event: Any) -> None:
        self._open(ListNode(self._spot(event.start_mark)), event)

    def scalar(self, event: Any) -> None:
        position = self._spot(event.start_mark)
        if event.tag is not None:
            self._tag(event.tag, position)
        value = event.value
        if "\0" in value:
            self._add(position, "a value must not contain a NUL character")
            value = value.replace("\0", "")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            self._add(position, "half of a surrogate pair is not a character")
            value = value.encode("utf-8", "replace").decode()
        plain = event.implicit[0]
        node: ScalarNode | NullNode = ScalarNode(value, position, plain=plain)
        if plain and value in _NULLS and not self._is_key():
            node = NullNode(position)
        self.count += 1
        if event.anchor:
            self.anchors[event.anchor] = (node, 1)
        self._take(node)

    def _tag(self, tag: str, position: Position) -> None:
        short = tag.replace("tag:yaml.org,2002:", "!!")
        if tag in _LIST_TAGS:
            message = f"{short} is only allowed before a list"
            self._add(position, message, hint=f"write {short} [ … ]")
        else:
            hint = "quote the value to make it a text" if short == "!!str" else ""
            known = "!append, !prepend or !remove before a list"
            expected = " or ".join(tag for tag in self.tags if tag[0] == "!") or known
            self._add(position, f"unknown tag {short}", expected, hint)

    def _open(self, node: MapNode | ListNode, event: Any) -> None:
        tag = event.tag
        if tag is not None and (tag not in _LIST_TAGS or isinstance(node, MapNode)):
            self._tag(tag, node.position)
            tag = None
        if len(self.stack) >= MAX_DEPTH:
            raise self._stop(node.position, f"nested deeper than {MAX_DEPTH} levels")
        self._no_key(node)
        self.count += 1
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(node, tag, event.anchor, self.count))

    def _is_key(self) -> bool:
        """Whether the next node is a key of a mapping."""
        top = self.stack[-1] if self.stack else None
        return top is not None and top.key is None and isinstance(top.node, MapNode)

    def _no_key(self, node: Node) -> None:
        if self._is_key() and not isinstance(node, ScalarNode):
            hint = "quote a value that begins with '{' or '['"
            raise self._stop(
                node.position, f"{describe(node)} cannot be a key", expected="a name", hint=hint
            )

    def close(self, _event: Any) -> None:
        done = self.stack.pop()
        node: Node = done.node
        if isinstance(done.node, MapNode):
            self._merge_key(done.node)
        elif done.tag == "!append":
            node = ListExtension(done.node.position, [], list(done.node))
        elif done.tag == "!prepend":
            node = ListExtension(done.node.position, list(done.node), [])
        elif done.tag == "!remove":
            removed = {str(item): item.position for item in self._names(done.node)}
            node = ListExtension(done.node.position, [], [], removed=removed)
        if done.anchor:
            self.anchors[done.anchor] = (node, self.count - done.count + 1)
        self._take(node)

    def _names(self, items: MapNode | ListNode) -> list[ScalarNode]:
        """Return the items of a `!remove`, which is only allowed before a list."""
        assert isinstance(items, ListNode)
        for item in items:
            if not isinstance(item, ScalarNode):
                self._add(
                    item.position,
                    f"!remove takes texts and ids of items, got {describe(item)}",
                    "!remove [name, …]",
                    "give the build step an id to remove it",
                )
        return [item for item in items if isinstance(item, ScalarNode)]

    def alias(self, event: Any) -> None:
        position = self._spot(event.start_mark)
        name = event.anchor
        if name not in self.anchors:
            raise self._stop(position, f"there is no anchor &{name} above")
        known = self.anchors[name]
        if known is None:
            raise self._stop(position, f"*{name} refers to a value that contains it")
        node, size = known
        self.count += size
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise self._stop(position, f"aliases expand to more than {MAX_ALIASED} values in all")
        self._no_key(node)
        self._take(node)

    def _take(self, node: Node) -> None:
        """Add a finished node to the collection around it."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node, ListNode):
            top.node.append(node)
        elif top.key is None:
            key = node if isinstance(node, ScalarNode) else ""
            top.key = (str(key), node.position)
            if not key:
                self._add(node.position, "a key is missing", "a name before the colon")
        else:
            key, position = top.key
            top.key = None
            if key in top.node:
                first = top.node.positions[key][1]
                self._add(position, f"{key!r} is set twice", "", f"first set in line {first}")
            else:
                top.node.put(key, node, position)

    def _merge_key(self, table: MapNode) -> None:
        """Carry out `<<: *defaults`: add the keys that the mapping does not set itself."""
        if _MERGE not in table:
            return
        merged = table.pop(_MERGE)
        position = table.positions.pop(_MERGE)
        for source in merged if isinstance(merged, ListNode) else [merged]:
            if not isinstance(source, MapNode):
                self._add(position, f"<< takes a mapping, got {describe(source)}", "<<: *anchor")
                continue
            for key, node in source.items():
                if key not in table:
                    table.put(key, node, source.positions[key])


_HANDLERS: dict[type, Callable[[_Reader, Any], None]] = {
    yaml.ScalarEvent: _Reader.scalar,
    yaml.MappingStartEvent: _Reader.mapping,
    yaml.SequenceStartEvent: _Reader.sequence,
    yaml.MappingEndEvent: _Reader.close,
    yaml.SequenceEndEvent: _Reader.close,
    yaml.AliasEvent: _Reader.alias,
    yaml.DocumentStartEvent: _Reader.document,
}
