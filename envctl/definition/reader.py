"""Bytes → located tree. Whatever the bytes are, the outcome is a tree or problems with places."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from envctl.definition.problems import LINE_BREAK, UNPRINTABLE, Problems
from envctl.definition.syntax import mistake
from envctl.definition.tree import Extend, Items, Node, Null, Spot, Table, Text, what
from envctl.host.safe_read import InsideError, read_inside

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
MAX_ALIASED = 50_000
"""How many nodes aliases may stand for, all together: a bomb has millions, a real spec some hundred."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_MERGE = "<<"


class _Stop(Exception):  # noqa: N818 — control flow within this module
    """Reading a file ends here; the problem has been noted."""


def read(root: Path, file: str, problems: Problems) -> bytes | None:
    """The bytes of a spec file; None, with the problem noted, if they cannot be had."""
    start = (file, 1, 1)
    try:
        return read_inside(root, file, largest=MAX_BYTES)
    except InsideError as error:
        problems.add(start, error.brief, expected="a YAML file of the project", hint=error.hint)
    except OSError as error:
        problems.add(start, f"{file} cannot be read: {error.strerror or error}")
    return None


def parse(data: bytes, file: str, problems: Problems) -> Table | None:
    """The mapping in the bytes of a file; an empty file is an empty one. None if there is none."""
    text = _decode(data, file, problems)
    if text is None:
        return None
    problems.text(file, text)
    table, found = _parsed(text, file)
    for spot, message, expected, hint in found:
        problems.add(spot, message, expected=expected, hint=hint)
    return table


def readable(data: bytes, file: str) -> Table | None:
    """The same, whatever is wrong with the file."""
    text = _decoded(data)
    return (
        _parsed(text, file)[0] if isinstance(text, str) and not UNPRINTABLE.search(text) else None
    )


@lru_cache(maxsize=8)
def _parsed(text: str, file: str) -> tuple[Table | None, tuple[tuple[Spot, str, str, str], ...]]:
    """Trees are never changed in place, so the environments of one run share their base file's."""
    reader = _Reader(file)
    table = reader.read(text)
    return table, tuple(reader.found)


def _decode(data: bytes, file: str, problems: Problems) -> str | None:
    text = _decoded(data)
    if isinstance(text, UnicodeDecodeError):
        before = data[: text.start].decode("utf-8", "replace")
        problems.add(_spot_after(before, file), "this is not UTF-8 text", hint="save it as UTF-8")
        return None
    bad = UNPRINTABLE.search(text)
    if bad:
        problems.text(file, text)
        name = "a NUL" if bad[0] == "\0" else f"the control character U+{ord(bad[0]):04X}"
        problems.add(
            _spot_after(text[: bad.start()], file),
            f"{name} cannot stand in YAML",
            hint="" if bad[0] == "\0" else f'write it as an escape: "\\u{ord(bad[0]):04X}"',
        )
        return None
    return text


def _decoded(data: bytes) -> str | UnicodeDecodeError:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error


def _spot_after(before: str, file: str) -> Spot:
    lines = LINE_BREAK.split(before)
    return (file, len(lines), len(lines[-1]) + 1)


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("anchor", "count", "key", "node", "tag")

    def __init__(
        self, node: Table | Items, tag: str | None, anchor: str | None, count: int
    ) -> None:
        self.node = node
        self.tag = tag
        self.anchor = anchor
        self.count = count
        self.key: tuple[str, Spot] | None = None


class _Reader:
    """Builds the tree from parse events, with a stack of its own: no depth can overflow anything."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[tuple[Spot, str, str, str]] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.count = 0
        self.aliased = 0
        self.documents = 0
        self.root: Node | None = None
        self.text = ""

    def read(self, text: str) -> Table | None:
        """The top mapping, or None."""
        self.text = text
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                handle = _HANDLERS.get(type(event))
                if handle:
                    handle(self, event)
        except _Stop:
            return None
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
            return None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self._add((self.file, 1, 1), f"this is not YAML: {' '.join(str(error).split())[:200]}")
            return None
        if self.root is None or isinstance(self.root, Null):
            return Table((self.file, 1, 1))
        if not isinstance(self.root, Table):
            self._add(self.root.spot, f"expected a mapping, got {what(self.root)}", "name: value …")
            return None
        return self.root

    def _add(self, spot: Spot, message: str, expected: str = "", hint: str = "") -> None:
        self.found.append((spot, message, expected, hint))

    def _stop(self, spot: Spot, message: str, *, expected: str = "", hint: str = "") -> _Stop:
        self._add(spot, message, expected, hint)
        return _Stop()

    def _spot(self, mark: Any) -> Spot:
        return (self.file, mark.line + 1, mark.column + 1)

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        found = mistake(self.text, error)
        spot = (self.file, found.line, found.column)
        self._add(spot, found.message, found.expected, found.hint)

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
        self._open(Table(self._spot(event.start_mark)), event)

    def sequence(self, event: Any) -> None:
        self._open(Items(self._spot(event.start_mark)), event)

    def scalar(self, event: Any) -> None:
        spot = self._spot(event.start_mark)
        if event.tag is not None:
            self._tag(event.tag, spot, "a list")
        value = event.value
        if "\0" in value:
            self._add(spot, "a NUL character cannot stand in any value")
            value = value.replace("\0", "")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            self._add(spot, "half of a surrogate pair is no character")
            value = value.encode("utf-8", "replace").decode()
        plain = event.implicit[0]
        node: Text | Null = Text(value, spot, plain=plain)
        top = self.stack[-1] if self.stack else None
        is_key = top is not None and top.key is None and isinstance(top.node, Table)
        if plain and value in _NULLS and not is_key:
            node = Null(spot)
        self.count += 1
        if event.anchor:
            self.anchors[event.anchor] = (node, 1)
        self._take(node)

    def _tag(self, tag: str, spot: Spot, only: str) -> None:
        short = tag.replace("tag:yaml.org,2002:", "!!")
        if short in ("!append", "!prepend"):
            self._add(spot, f"{short} stands before {only}", "", f"write {short} [ … ]")
        else:
            hint = "quote a value that is to be text" if short == "!!str" else ""
            self._add(spot, f"unknown tag {short}", "!append or !prepend before a list", hint)

    def _open(self, node: Table | Items, event: Any) -> None:
        tag = event.tag
        if tag is not None and (tag not in ("!append", "!prepend") or isinstance(node, Table)):
            self._tag(tag, node.spot, "a list")
            tag = None
        if len(self.stack) >= MAX_DEPTH:
            raise self._stop(node.spot, f"nested deeper than {MAX_DEPTH} levels")
        self._no_key(node)
        self.count += 1
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(node, tag, event.anchor, self.count))

    def _no_key(self, node: Node) -> None:
        top = self.stack[-1] if self.stack else None
        if top and top.key is None and isinstance(top.node, Table) and not isinstance(node, Text):
            hint = "quote a value that begins with '{' or '['"
            raise self._stop(
                node.spot, f"{what(node)} cannot be a key", expected="a name", hint=hint
            )

    def close(self, _event: Any) -> None:
        done = self.stack.pop()
        node: Node = done.node
        if isinstance(done.node, Table):
            self._merge_key(done.node)
        elif done.tag == "!append":
            node = Extend(done.node.spot, [], list(done.node))
        elif done.tag == "!prepend":
            node = Extend(done.node.spot, list(done.node), [])
        if done.anchor:
            self.anchors[done.anchor] = (node, self.count - done.count + 1)
        self._take(node)

    def alias(self, event: Any) -> None:
        spot = self._spot(event.start_mark)
        name = event.anchor
        if name not in self.anchors:
            raise self._stop(spot, f"there is no anchor &{name} above")
        known = self.anchors[name]
        if known is None:
            raise self._stop(spot, f"*{name} stands within what it stands for")
        node, size = known
        self.count += size
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise self._stop(spot, f"aliases stand for more than {MAX_ALIASED} values in all")
        self._no_key(node)
        self._take(node)

    def _take(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node, Items):
            top.node.append(node)
        elif top.key is None:
            key = node if isinstance(node, Text) else ""
            top.key = (str(key), node.spot)
            if not key:
                self._add(node.spot, "a key is missing", "a name before the colon")
        else:
            key, spot = top.key
            top.key = None
            if key in top.node:
                first = top.node.spots[key][1]
                self._add(spot, f"{key!r} is set twice", "", f"first set in line {first}")
            else:
                top.node.put(key, node, spot)

    def _merge_key(self, table: Table) -> None:
        """Do `<<: *defaults`: keys that the mapping does not set itself."""
        if _MERGE not in table:
            return
        given = table.pop(_MERGE)
        spot = table.spots.pop(_MERGE)
        for source in given if isinstance(given, Items) else [given]:
            if not isinstance(source, Table):
                self._add(spot, f"<< takes a mapping, got {what(source)}", "<<: *anchor")
                continue
            for key, node in source.items():
                if key not in table:
                    table.put(key, node, source.spots[key])


_HANDLERS: dict[type, Callable[[_Reader, Any], None]] = {
    yaml.ScalarEvent: _Reader.scalar,
    yaml.MappingStartEvent: _Reader.mapping,
    yaml.SequenceStartEvent: _Reader.sequence,
    yaml.MappingEndEvent: _Reader.close,
    yaml.SequenceEndEvent: _Reader.close,
    yaml.AliasEvent: _Reader.alias,
    yaml.DocumentStartEvent: _Reader.document,
}
