"""What is declared of a key, and the walk that reads a spec: where it is, what is wrong, where each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from envctl.definition.origins import Raw
from envctl.definition.problems import Problems, near
from envctl.definition.tree import Items, Node, Spot, Table, Text
from envctl.definition.value_origin import KeyPath
from envctl.definition.value_readers import Wrong
from envctl.lazy_dataclass import dataclass

WRONG: Final[Any] = object()
"""What reading gives for a value that is not valid. It has been reported."""


REQUIRED: Final = object()
"""In place of a default: the key must be there."""


class ValueKind(Protocol):
    """How a value is read."""

    def read(self, node: Node, at: Cursor) -> Any:
        """The value as data; WRONG, and reported, if it is not valid."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key."""

    kind: ValueKind
    doc: str
    example: Any = None
    default: Any = REQUIRED
    name: str = ""
    """How it is written, if not as it is called in the data."""
    write: Callable[[Any], Any] | None = None
    """Makes what is written of what is read; None where nothing is."""
    replaces: str = ""
    """Why an overlay replaces a mapping here, where it would merge another by key."""
    fixed: str = ""
    """Why no overlay may change it."""


class KnownKeys(Protocol):
    """A mapping of which the keys are known."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """They, by name."""


class Reading:
    """One reading of a mapping: what it reports to, and what it has found."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.origins: dict[KeyPath, Raw] = {}
        """The places of all that was read, by its path in the data."""
        self.beside: dict[str, Any] = {}
        """The values of keys of the mapping that are no part of its data."""
        self.wrong: set[str] = set()
        """Keys of the mapping with something wrong in them, or that a misspelt one may have been meant for."""

    def hint_for_key(self, form: KnownKeys, word: str, node: Node) -> str:
        """What helps with a key that a form does not have."""
        del node
        return near(word, form.fields)

    def hint_for_value(self, key: Key, word: str, node: Node) -> str:
        """What helps with a value of the wrong type."""
        del key, word, node
        return ""


class Cursor:
    """A place in the walk: whose part it is, its path in the data, the place of its key."""

    __slots__ = ("is_short", "key", "parent", "path", "reading", "spot", "top", "word")

    def __init__(
        self,
        reading: Reading,
        word: str | int,
        spot: Spot,
        path: KeyPath | None = (),
        *,
        key: Key | None = None,
        parent: Cursor | None = None,
        top: str = "",
    ) -> None:
        self.reading = reading
        self.word = word
        """The key, the entry of a mapping, or the number of an item, as it is written; "" if it is not."""
        self.spot = spot
        self.path = path
        """None: this is no part of the data, and no place of it is kept."""
        self.key = key
        """The declaration of the key that this belongs to."""
        self.parent = parent
        self.top = top
        """The key of the outermost mapping that this belongs to."""
        self.is_short = False
        """Whether a short form stands here, so that the keys of the mapping are not written."""

    @property
    def name(self) -> str:
        """What it is called in messages: services.web.ports.0."""
        above = self.parent.name if self.parent is not None else ""
        return f"{above}.{self.word}" if above and self.word != "" else above or str(self.word)

    @property
    def last_key(self) -> str:
        """The last word that is no number of an item; "" if the key is not written."""
        at: Cursor | None = self
        while at is not None and isinstance(at.word, int):
            at = at.parent
        return str(at.word) if at is not None else ""

    def enter(
        self, word: str | int, spot: Spot, path: KeyPath | None, key: Key | None = None
    ) -> Cursor:
        """The place of a part: `word` as it is written, `path` from here in the data."""
        here = self.path
        return Cursor(
            self.reading,
            word,
            spot,
            None if here is None or path is None else here + path,
            key=key or self.key,
            parent=self,
            top=self.top or str(word),
        )

    def implied(self, key: Key) -> Cursor:
        """The place of a key that is not written: its value is the short form of the whole mapping."""
        return Cursor(self.reading, "", self.spot, None, key=key, parent=self, top=self.top)

    def record(self, node: Node, *, deep: bool = False) -> None:
        """Keep the place of a value; with `deep`, of all that is in it."""
        if self.path is None:
            return
        self.reading.origins[self.path] = raw(node, self.spot)
        if deep and not isinstance(node, Text):
            _record_parts(self.path, node, self.reading.origins)

    def problem(self, spot: Spot, message: str, *, expected: str = "", hint: str = "") -> None:
        """Report that something is wrong here."""
        self.reading.wrong.add(self.top)
        self.reading.problems.add(spot, message, expected=expected, hint=hint)

    def refuse(self, node: Node, wrong: Wrong) -> Any:
        """Report that the value cannot be read; gives WRONG."""
        hint = wrong.hint
        word = self.last_key
        if not hint and self.key and word and wrong.message.startswith("expected "):
            hint = self.reading.hint_for_value(self.key, word, node)
        if isinstance(node, Text) and node.note:
            hint = "; ".join(filter(None, [hint, node.note]))
        self.problem(
            self.value_spot(node),
            f"{self.name or 'the file'}: {wrong.message}",
            expected=wrong.expected or self.example(),
            hint=hint,
        )
        if self.path is not None:
            self.reading.origins.pop(self.path, None)
        return WRONG

    def value_spot(self, node: Node) -> Spot:
        """The value's place if it is a scalar or on the key's line, else the key's."""
        if isinstance(node, Text) or node.spot[1] == self.spot[1]:
            return node.spot
        return self.spot

    def example(self, key: Key | None = None, name: str = "") -> str:
        """How the key that this belongs to, or another one, may be written."""
        key = key or self.key
        if key is None or key.example is None:
            return ""
        return f"for example {name}{_example(key.example)}"


def raw(node: Node, spot: Spot) -> Raw:
    """A scalar's own place, or that of a collection's key; what it replaced; which variables it holds."""
    if isinstance(node, Text):
        return (node.spot, node.replaced, node.note)
    return (spot, node.replaced, "")


def _record_parts(path: KeyPath, node: Node, origins: dict[KeyPath, Raw]) -> None:
    """The places of what is in a value that is read as a whole."""
    if isinstance(node, Table):
        for key, item in node.items():
            origins[*path, key] = raw(item, node.spots[key])
            _record_parts((*path, key), item, origins)
    elif isinstance(node, Items):
        for index, item in enumerate(node):
            origins[*path, index] = raw(item, item.spot)
            _record_parts((*path, index), item, origins)


def _example(value: Any) -> str:
    """An example, as a reader would write it."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_example(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_example, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            text = str(value)
            quoted = ": " in text or (text.count(":") == 1 and text[0].isdigit())
            return f'"{text}"' if quoted else text
