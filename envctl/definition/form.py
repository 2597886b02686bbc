"""Forms: what may be written in a spec, one declaration a key, and how it is read.

A form is made from a `TypedDict`, the data that the rest of envctl reads. What is declared of a key stands beside
its type: `workdir: Annotated[str | None, Key(UNIT_FOLDER, "Where it runs.", "/srv/web", default=None)]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envctl.definition import value_readers as values
from envctl.definition.key import REQUIRED, WRONG, Cursor, Key, Reading, ValueKind
from envctl.definition.problems import Problems
from envctl.definition.tree import Items, Node, Spot, Table, Text, what
from envctl.definition.value_origin import KeyPath
from envctl.definition.value_readers import Wrong
from envctl.lazy_dataclass import dataclass
from envctl.suggest import nearest


@dataclass(frozen=True, slots=True)
class ExactlyOne:
    """Keys of which exactly one is written: its value stands at one place of the data, its name at another."""

    tag: str
    keys: Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a form: `data` is its name in the data, None if it is no part of that."""

    key: Key
    data: str | None
    tag: str = ""

    @property
    def path(self) -> KeyPath | None:
        """Where its value stands in the form's data."""
        return None if self.data is None else (self.data,)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that one function reads; `schema` is what an editor should know of it, `title` its name in the reference."""

    parse: Callable[[Any], Any]
    title: str
    schema: Mapping[str, Any]

    def read(self, node: Node, at: Cursor) -> Any:
        """The value."""
        try:
            value = self.parse(node)
        except Wrong as wrong:
            return at.refuse(node, wrong)
        if not isinstance(node, Text):
            at.record(node, deep=True)
        return value


@dataclass(frozen=True, slots=True)
class Listed:
    """A list, if `unique` of texts that count once.

    With `keyed`, a mapping stands for one as well: its keys and values are these two keys of the items.
    """

    item: ValueKind
    of: str = ""
    unique: bool = False
    keyed: tuple[str, str] | None = None

    def read(self, node: Node, at: Cursor) -> Any:
        """A list of what is valid of it."""
        if self.keyed and isinstance(node, Table):
            return self._keyed(node, at, *self.keyed)
        try:
            nodes = values.items(node, of=self.of)
        except Wrong as wrong:
            return at.refuse(node, wrong)
        result: list[Any] = []
        for index, item in enumerate(nodes):
            self._add(item, at.enter(index, item.spot, (len(result),)), result)
        return list(dict.fromkeys(result)) if self.unique else result

    def _keyed(self, node: Table, at: Cursor, key: str, value: str) -> list[Any]:
        result: list[Any] = []
        for word, item in node.items():
            spot = node.spots[word]
            table = Table(spot)
            table.replaced = item.replaced
            table.put(key, Text(word, spot), spot)
            inner = at.enter(word, spot, (len(result),))
            if isinstance(item, Table):
                table.update(item)
                table.spots.update(item.spots)
            else:
                table.put(value, item, spot)
                # The key of the value is not written.
                inner.is_short = True
            self._add(table, inner, result)
        return result

    def _add(self, item: Node, at: Cursor, result: list[Any]) -> None:
        at.record(item)
        value = self.item.read(item, at)
        if value is not WRONG:
            result.append(value)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping whose keys are free; with `listed`, a list of `of` stands for one with that value everywhere.

    With `named`, the data is a list of the values, each with its key under this name.
    """

    key: Scalar
    value: ValueKind
    listed: Any = None
    of: str = ""
    named: str = ""

    def read(self, node: Node, at: Cursor) -> Any:
        """What is valid of it."""
        if isinstance(node, Table):
            read = self._entries(node, at)
            return (
                [{**value, self.named: name} for name, value in read] if self.named else dict(read)
            )
        if self.listed is None:
            return at.refuse(node, Wrong(f"expected a mapping, got {what(node)}"))
        try:
            nodes = values.items(node, of=self.of)
        except Wrong as wrong:
            return at.refuse(node, wrong)
        return {str(item): self.listed for item in nodes if self._is_name(item, at)}

    def _entries(self, node: Table, at: Cursor) -> list[tuple[str, Any]]:
        result: list[tuple[str, Any]] = []
        for word, item in node.items():
            inner = at.enter(word, node.spots[word], (len(result) if self.named else word,))
            inner.record(item)
            value = self.value.read(item, inner)
            if self._is_key(word, inner) and value is not WRONG:
                result.append((word, value))
        return result

    def _is_name(self, item: Node, at: Cursor) -> bool:
        if not isinstance(item, Text):
            at.refuse(item, values.wrong_type(item, "the name of a service"))
            return False
        inner = at.enter(item, item.spot, (str(item),))
        inner.record(item)
        return self._is_key(item, inner)

    def _is_key(self, word: str, at: Cursor) -> bool:
        if not word or "${" in word:
            # That a key is missing, or that no variable works there, has been reported.
            at.reading.wrong.add(at.top)
            return False
        try:
            self.key.parse(word)
        except Wrong as wrong:
            at.refuse(Text(word, at.spot), wrong)
            return False
        return True


@dataclass(frozen=True, slots=True)
class Short:
    """A short form of a mapping: either what stands for its one `key`, or what `expand` makes its keys of."""

    schema: tuple[Mapping[str, Any], ...]
    key: str = ""
    types: tuple[type, ...] = (str,)
    expected: str = ""
    expand: Callable[[Any], Mapping[str, str]] | None = None

    def table(self, node: Node) -> Table:
        """The mapping that is meant; Wrong."""
        table = Table(node.spot)
        if self.expand is None:
            if not isinstance(node, self.types):
                raise values.wrong_type(node, self.expected)
            table.put(self.key, node, node.spot)
            return table
        for key, part in self.expand(node).items():
            text = Text(part, node.spot)
            text.note = node.note if isinstance(node, Text) else ""
            table.put(key, text, node.spot)
        return table


class Form:
    """A mapping with known keys."""

    def __init__(
        self,
        data: type,
        *,
        title: str = "",
        short: Short | None = None,
        also: Mapping[str, Key] | None = None,
        check: Callable[[Table], None] | None = None,
        finish: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        choices: tuple[str, ...] = (),
        why: str = "",
    ) -> None:
        """`also` are keys that are no part of the data. `check` raises Wrong if keys do not go together.

        `finish` completes the data. Of the keys `choices` only one holds: an overlay that sets one drops the
        others; `why` says it.
        """
        self.data = data
        self.name = data.__name__
        self.title = title
        self.doc = " ".join((data.__doc__ or "").split())
        self.short = short
        self.check = check
        self.finish = finish
        beside = {word: Field(key, None) for word, key in (also or {}).items()}
        self.fields = {**_fields(data), **beside}
        self.one_of = tuple(word for word, field in self.fields.items() if field.tag)
        self.choices = choices or self.one_of
        self.why = why
        self.required = [
            word
            for word, field in self.fields.items()
            if field.key.default is REQUIRED and not field.tag
        ]
        self.blank = {
            **dict.fromkeys(data.__annotations__),
            **{
                field.data: None if field.key.default is REQUIRED else field.key.default
                for field in self.fields.values()
                if field.data is not None
            },
        }  # fmt: skip
        """The data of a mapping without keys."""

    def read(self, node: Node, at: Cursor) -> Any:
        """The data; WRONG if it lacks what is required."""
        data, is_whole = self.read_parts(node, at)
        return data if is_whole else WRONG

    def read_parts(self, node: Node, at: Cursor) -> tuple[dict[str, Any], bool]:
        """The data of what is valid, and whether it has all that is required."""
        if isinstance(node, Table):
            return self._read(node, at, is_implied=at.is_short)
        try:
            if self.short is None:
                raise Wrong(f"expected a mapping, got {what(node)}")
            table = self.short.table(node)
        except Wrong as wrong:
            at.refuse(node, wrong)
            return self.blank, False
        return self._read(table, at, is_implied=True)

    def _read(self, table: Table, at: Cursor, *, is_implied: bool) -> tuple[dict[str, Any], bool]:
        data = self.blank.copy()
        meant = {self._unknown(word, table, at) for word in table if word not in self.fields}
        is_whole = self._read_keys(table, at, data, is_implied=is_implied)
        for word in self.required:
            if word not in table:
                is_whole = False
                if word not in meant:
                    self._missing(word, at)
        if meant:
            # What is misspelt may be the very key that makes it whole.
            is_whole = is_whole and not (self.one_of or self.check)
        elif is_whole:
            is_whole = self._fits_together(table, at)
        return (self.finish(data) if self.finish and is_whole else data), is_whole

    def _read_keys(
        self, table: Table, at: Cursor, data: dict[str, Any], *, is_implied: bool
    ) -> bool:
        """Fill the data in; whether nothing is wrong without which the rest means nothing."""
        is_sound = True
        for word, node in table.items():
            field = self.fields.get(word)
            if field is None:
                continue
            key = field.key
            if is_implied:
                inner = at.implied(key)
            else:
                inner = at.enter(word, table.spots[word], field.path, key)
                inner.record(node)
            value = key.kind.read(node, inner)
            if value is WRONG:
                is_sound = is_sound and not (is_implied or self.check or key.default is REQUIRED)
            elif field.data is None:
                at.reading.beside[word] = value
            else:
                data[field.data] = value
                if field.tag:
                    data[field.tag] = word
        return is_sound

    def _unknown(self, word: str, table: Table, at: Cursor) -> str:
        """Report a key that the form does not have; the one that was meant, or ""."""
        meant = nearest(word, self.fields) or ""
        at.reading.wrong |= {at.top or word, at.top or meant}
        if word and "${" not in word:
            hint = at.reading.hint_for_key(self, word, table[word])
            at.reading.problems.add(
                table.spots[word],
                f"{at.name or 'the file'} has no key {word!r}",
                expected="" if hint else ", ".join(self.fields),
                hint=hint,
            )
        return meant

    def _missing(self, word: str, at: Cursor) -> None:
        key = self.fields[word].key
        at.reading.wrong.add(at.top or word)
        at.reading.problems.add(
            at.spot,
            f"{at.name or 'the file'} lacks {word!r}",
            expected=at.example(key, f"{key.name or word}: "),
        )

    def _fits_together(self, table: Table, at: Cursor) -> bool:
        chosen = [word for word in self.one_of if word in table]
        if self.one_of and len(chosen) != 1:
            at.problem(
                table.spots[chosen[1]] if chosen else at.spot,
                f"{at.name} has " + (" and ".join(chosen) or f"none of {', '.join(self.one_of)}"),
                expected=f"exactly one of {', '.join(self.one_of)}",
            )
            return False
        if self.check:
            try:
                self.check(table)
            except Wrong as wrong:
                at.refuse(table, wrong)
                return False
        return True


class Tagged(Form):
    """A mapping of one key, that says of what kind it is: the data is that of its value, and `tag` the kind."""

    def __init__(
        self, data: type, tag: str, kinds: Mapping[str, Key], *, title: str, called: str
    ) -> None:
        super().__init__(data, title=title, also=kinds)
        self.required = []
        self.tag = tag
        self.called = called

    def read(self, node: Node, at: Cursor) -> Any:
        """The data."""
        if not isinstance(node, Table) or len(node) != 1:
            return at.refuse(node, self._not_one(node))
        ((word, body),) = node.items()
        field = self.fields.get(word)
        if field is None:
            self._unknown(word, node, at)
            return WRONG
        read = field.key.kind.read(body, at.enter(word, node.spots[word], (), field.key))
        return WRONG if read is WRONG else {**read, self.tag: word}

    def _not_one(self, node: Node) -> Wrong:
        expected = " or ".join(self.fields)
        if isinstance(node, Table):
            found = ", ".join(node) or "none"
            return Wrong(
                f"{self.called} has exactly one kind, this one has {found}", expected=expected
            )
        hint = f"write {values.written({'run': str(node)})}" if isinstance(node, Text) else ""
        return Wrong(f"expected {self.called}, got {what(node)}", expected=expected, hint=hint)


def _fields(data: type) -> dict[str, Field]:
    """The declared keys of a TypedDict, by the names they are written with."""
    found: dict[str, Field] = {}
    for name, annotation in data.__annotations__.items():
        for declared in getattr(annotation, "__metadata__", ()):
            if isinstance(declared, Key):
                found[declared.name or name] = Field(declared, name)
            elif isinstance(declared, ExactlyOne):
                found |= {
                    word: Field(key, name, declared.tag) for word, key in declared.keys.items()
                }
    return found


def located(value: Any, spot: Spot = ("", 1, 1)) -> Node:
    """A value as if it had been read from a file."""
    if isinstance(value, dict):
        table = Table(spot)
        for key, item in value.items():
            table.put(key, located(item, spot), spot)
        return table
    if isinstance(value, list):
        return Items(spot, [located(item, spot) for item in value])
    return Text(str(value), spot, plain=True)


def is_valid(kind: ValueKind, value: Any) -> bool:
    """Whether a value, written without places, is valid."""
    problems = Problems()
    at = Cursor(Reading(problems), "", ("", 1, 1))
    return kind.read(located(value), at) is not WRONG and not problems.noted
