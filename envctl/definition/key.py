"""The declaration of a key, and the cursor that walks a spec by these declarations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from envctl.definition.inline_yaml import inline_yaml
from envctl.definition.origins import RawOrigin
from envctl.definition.problems import Problems, suggestion
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode
from envctl.definition.value_origin import KeyPath
from envctl.definition.value_readers import InvalidValue
from envctl.lazy_dataclass import dataclass

INVALID: Final[Any] = object()
"""The result of reading an invalid value, which has been reported already."""
REQUIRED: Final = object()
"""In place of a default: the key must be written."""


class ValueKind(Protocol):
    """How a value is read."""

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the value as data; INVALID if it is not valid, which has been reported then."""


@dataclass(frozen=True, slots=True)
class Key:
    """The declaration of one key."""

    kind: ValueKind
    doc: str
    example: Any = None
    default: Any = REQUIRED
    name: str = ""
    """The name it is written with, if the data calls it something else."""
    write: Callable[[Any], Any] | None = None
    """Converts its data back to what a user writes; None means that nothing is written."""
    replaces: str = ""
    """Why an overlay replaces a mapping here, instead of merging it by key."""
    fixed: str = ""
    """Why no overlay may change it."""
    run: str = ""
    """Its path in the unit's run, if it is part of the run identity: changing it replaces the unit."""


class KnownKeys(Protocol):
    """A mapping whose keys are known."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """The keys, by name."""


class Reading:
    """The reading of one mapping. Collects its problems and origins."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.origins: dict[KeyPath, RawOrigin] = {}
        """Where each value was written, by its path in the data."""
        self.extra: dict[str, Any] = {}
        """The values of keys that are not part of the data."""
        self.invalid: set[str] = set()
        """Top keys with a mistake in them, and keys that a misspelt one may have meant. Later checks do not trust them."""

    def hint_for_key(self, form: KnownKeys, word: str, node: Node) -> str:
        """Return a hint about a key that the form does not have."""
        del node
        return suggestion(word, form.fields)

    def hint_for_value(self, key: Key, word: str, node: Node) -> str:
        """Return a hint about a value of the wrong type."""
        del key, word, node
        return ""


class Cursor:
    """A place in the walk: the key as written, its path in the data, its position in the file."""

    __slots__ = ("is_shorthand", "key", "parent", "path", "position", "reading", "top", "word")

    def __init__(
        self,
        reading: Reading,
        word: str | int,
        position: Position,
        path: KeyPath | None = (),
        *,
        key: Key | None = None,
        parent: Cursor | None = None,
        top: str = "",
    ) -> None:
        self.reading = reading
        self.word = word
        """The key or the number of the item, as written; "" if the key is not written."""
        self.position = position
        self.path = path
        """None if this is not part of the data. Then no origin is stored."""
        self.key = key
        """The declaration of the nearest key around it."""
        self.parent = parent
        self.top = top
        """The key of the outermost mapping around it."""
        self.is_shorthand = False
        """Whether this is a short form, so that the keys of the mapping are not written."""

    @property
    def name(self) -> str:
        """Its name in messages: services.web.ports.0."""
        above = self.parent.name if self.parent is not None else ""
        return f"{above}.{self.word}" if above and self.word != "" else above or str(self.word)

    @property
    def last_key(self) -> str:
        """The nearest key that is not the number of an item; "" if it is not written."""
        cursor: Cursor | None = self
        while cursor is not None and isinstance(cursor.word, int):
            cursor = cursor.parent
        return str(cursor.word) if cursor is not None else ""

    def enter(
        self, word: str | int, position: Position, path: KeyPath | None, key: Key | None = None
    ) -> Cursor:
        """Return the cursor for a part: `word` as written, `path` relative to this one's data."""
        here = self.path
        return Cursor(
            self.reading,
            word,
            position,
            None if here is None or path is None else here + path,
            key=key or self.key,
            parent=self,
            top=self.top or str(word),
        )

    def implied(self, key: Key) -> Cursor:
        """Return the cursor for a key that is not written, since a short form stands for the whole mapping."""
        return Cursor(self.reading, "", self.position, None, key=key, parent=self, top=self.top)

    def record(self, node: Node, *, deep: bool = False) -> None:
        """Store the origin of a value; with `deep`, of everything in it."""
        if self.path is None:
            return
        self.reading.origins[self.path] = raw_origin(node, self.position)
        if deep:
            _record_parts(self.path, node, self.reading.origins)

    def report(
        self, position: Position, message: str, *, expected: str = "", hint: str = ""
    ) -> None:
        """Report a problem with what is here."""
        self.reading.invalid.add(self.top)
        self.reading.problems.add(position, message, expected=expected, hint=hint)

    def reject(self, node: Node, error: InvalidValue) -> Any:
        """Report that a value is invalid. Returns INVALID."""
        hint = error.hint
        word = self.last_key
        if not hint and self.key and word and error.message.startswith("expected "):
            hint = self.reading.hint_for_value(self.key, word, node)
        if isinstance(node, ScalarNode) and node.note:
            hint = "; ".join(filter(None, [hint, node.note]))
        self.report(
            self._position_of_value(node),
            f"{self.name or 'the file'}: {error.message}",
            expected=error.expected or self.example(),
            hint=hint,
        )
        if self.path is not None:
            self.reading.origins.pop(self.path, None)
        return INVALID

    def _position_of_value(self, node: Node) -> Position:
        """Return the value's own position if it is a scalar or on the key's line, else the key's."""
        if isinstance(node, ScalarNode) or node.position[1] == self.position[1]:
            return node.position
        return self.position

    def example(self, key: Key | None = None, name: str = "") -> str:
        """Return an example of the nearest key around it, or of another one."""
        key = key or self.key
        if key is None or key.example is None:
            return ""
        return f"for example {name}{inline_yaml(key.example)}"


def raw_origin(node: Node, position: Position) -> RawOrigin:
    """Return the position of a scalar, or of a collection's key; what it replaced; and the variables in it."""
    if isinstance(node, ScalarNode):
        return (node.position, node.replaced, node.note)
    return (position, node.replaced, "")


def _record_parts(path: KeyPath, node: Node, origins: dict[KeyPath, RawOrigin]) -> None:
    """Store the origins of everything in a value that is read as a whole."""
    if isinstance(node, MapNode):
        for key, item in node.items():
            origins[*path, key] = raw_origin(item, node.positions[key])
            _record_parts((*path, key), item, origins)
    elif isinstance(node, ListNode):
        for index, item in enumerate(node):
            origins[*path, index] = raw_origin(item, item.position)
            _record_parts((*path, index), item, origins)
