"""Forms: mappings with known keys, and how they are read.

A form is made from a `TypedDict`, the data that the rest of envctl reads. Each key is declared beside its type:
`workdir: Annotated[str | None, Key(UNIT_FOLDER, "Where it runs.", "/srv/web", default=None)]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envctl.definition.inline_yaml import inline_yaml
from envctl.definition.key import INVALID, REQUIRED, Cursor, Key
from envctl.definition.tree import MapNode, Node, ScalarNode, describe, without
from envctl.definition.value_origin import KeyPath
from envctl.definition.value_readers import InvalidValue, unexpected_type
from envctl.lazy_dataclass import dataclass
from envctl.suggest import nearest


@dataclass(frozen=True, slots=True)
class ExactlyOne:
    """Keys of which exactly one is written. The data holds its value in one field, and its name in the field `tag`."""

    tag: str
    keys: Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a form. `data` is the name of its field in the data; None if it is not part of the data."""

    key: Key
    data: str | None
    tag: str = ""

    @property
    def path(self) -> KeyPath | None:
        """The path of its value in the form's data."""
        return None if self.data is None else (self.data,)


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A short form of a mapping: either the value of its one `key`, or a text that `expand` splits into keys."""

    schema: tuple[Mapping[str, Any], ...]
    key: str = ""
    types: tuple[type, ...] = (str,)
    expected: str = ""
    expand: Callable[[Any], Mapping[str, str]] | None = None

    def table(self, node: Node) -> MapNode:
        """Return the mapping it stands for. Raises InvalidValue."""
        table = MapNode(node.position)
        if self.expand is None:
            if not isinstance(node, self.types):
                raise unexpected_type(node, self.expected)
            table.put(self.key, node, node.position)
            return table
        for key, part in self.expand(node).items():
            text = ScalarNode(part, node.position)
            text.note = node.note if isinstance(node, ScalarNode) else ""
            table.put(key, text, node.position)
        return table


class Form:
    """A mapping with known keys."""

    def __init__(
        self,
        data: type,
        *,
        title: str = "",
        shorthand: Shorthand | None = None,
        extra_keys: Mapping[str, Key] | None = None,
        check: Callable[[MapNode], None] | None = None,
        complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        choices: tuple[str, ...] = (),
        choice_reason: str = "",
    ) -> None:
        """`extra_keys` are not part of the data. `check` raises InvalidValue if keys do not go together.

        `complete` fills in what other keys decide. Of the keys `choices` only one counts: an overlay that sets one
        drops the others, for `choice_reason`.
        """
        self.data = data
        self.name = data.__name__.removesuffix("Data")
        self.title = title
        self.doc = " ".join((data.__doc__ or "").split())
        self.shorthand = shorthand
        self.check = check
        self.complete = complete
        extra = {word: Field(key, None) for word, key in (extra_keys or {}).items()}
        self.fields = {**_declared_fields(data), **extra}
        self.exclusive = tuple(word for word, field in self.fields.items() if field.tag)
        """The keys of which exactly one is written."""
        self.choices = choices or self.exclusive
        self.choice_reason = choice_reason
        self.required = [
            word
            for word, field in self.fields.items()
            if field.key.default is REQUIRED and not field.tag
        ]
        self.defaults = dict.fromkeys(data.__annotations__) | {
            field.data: field.key.default
            for field in self.fields.values()
            if field.data is not None and field.key.default is not REQUIRED
        }
        """The data of a mapping without keys."""

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the data; INVALID if something required is missing."""
        data, is_whole = self.read_parts(node, cursor)
        return data if is_whole else INVALID

    def read_parts(self, node: Node, cursor: Cursor) -> tuple[dict[str, Any], bool]:
        """Return the data of all that is valid, and whether everything required is there."""
        if isinstance(node, MapNode):
            return self._read(node, cursor, is_implied=cursor.is_shorthand)
        try:
            if self.shorthand is None:
                raise InvalidValue(f"expected a mapping, got {describe(node)}")
            table = self.shorthand.table(node)
        except InvalidValue as error:
            cursor.reject(node, error)
            return self.defaults, False
        return self._read(table, cursor, is_implied=True)

    def _read(
        self, table: MapNode, cursor: Cursor, *, is_implied: bool
    ) -> tuple[dict[str, Any], bool]:
        data = self.defaults.copy()
        meant = {
            self._report_unknown(word, table, cursor) for word in table if word not in self.fields
        }
        is_whole = self._read_keys(table, cursor, data, is_implied=is_implied)
        for word in self.required:
            if word not in table:
                is_whole = False
                if word not in meant:
                    self._report_missing(word, cursor)
        if meant:
            # The misspelt key may be the missing one, so do not report the missing one as well.
            is_whole = is_whole and not (self.exclusive or self.check)
        elif is_whole:
            is_whole = self._fits_together(table, cursor)
        return (self.complete(data) if self.complete and is_whole else data), is_whole

    def _read_keys(
        self, table: MapNode, cursor: Cursor, data: dict[str, Any], *, is_implied: bool
    ) -> bool:
        """Fill in the data. Return False if an invalid value makes the rest meaningless."""
        is_sound = True
        for word, node in table.items():
            field = self.fields.get(word)
            if field is None:
                continue
            key = field.key
            if is_implied:
                inner = cursor.implied(key)
            else:
                inner = cursor.enter(word, table.positions[word], field.path, key)
                inner.record(node)
            value = key.kind.read(node, inner)
            if value is INVALID:
                is_sound = is_sound and not (is_implied or self.check or key.default is REQUIRED)
            elif field.data is None:
                cursor.reading.extra[word] = value
            else:
                data[field.data] = value
                if field.tag:
                    data[field.tag] = word
        return is_sound

    def _report_unknown(self, word: str, table: MapNode, cursor: Cursor) -> str:
        """Report a key that the form does not have. Returns the key that was probably meant, or ""."""
        meant = nearest(word, self.fields) or ""
        cursor.reading.invalid |= {cursor.top or word, cursor.top or meant}
        if word and "${" not in word:
            hint = cursor.reading.hint_for_key(self, word, table[word])
            cursor.reading.problems.add(
                table.positions[word],
                f"{cursor.name or 'the file'} has no key {word!r}",
                expected="" if hint else ", ".join(self.fields),
                hint=hint,
            )
        return meant

    def _report_missing(self, word: str, cursor: Cursor) -> None:
        key = self.fields[word].key
        cursor.reading.invalid.add(cursor.top or word)
        cursor.reading.problems.add(
            cursor.position,
            f"{cursor.name or 'the file'} lacks {word!r}",
            expected=cursor.example(key, f"{key.name or word}: "),
        )

    def _fits_together(self, table: MapNode, cursor: Cursor) -> bool:
        chosen = [word for word in self.exclusive if word in table]
        if self.exclusive and len(chosen) != 1:
            choices = ", ".join(self.exclusive)
            cursor.report(
                table.positions[chosen[1]] if chosen else cursor.position,
                f"{cursor.name} has " + (" and ".join(chosen) or f"none of {choices}"),
                expected=f"exactly one of {choices}",
            )
            return False
        if self.check:
            try:
                self.check(table)
            except InvalidValue as error:
                cursor.reject(table, error)
                return False
        return True


class Tagged(Form):
    """A mapping with one key, which names the kind: the data is that of its value, and has the kind in `tag`.

    Beside it, `other_keys` may be written; they are not part of the data.
    """

    def __init__(
        self,
        data: type,
        tag: str,
        kinds: Mapping[str, Key],
        *,
        title: str,
        noun: str,
        other_keys: Mapping[str, Key],
    ) -> None:
        super().__init__(data, title=title, extra_keys={**kinds, **other_keys})
        self.required = []
        self.kinds = tuple(kinds)
        self.tag = tag
        self.noun = noun

    def read(self, node: Node, cursor: Cursor) -> Any:
        """Return the data."""
        others = [word for word in self.fields if word not in self.kinds]
        kind = without(node, *others) if isinstance(node, MapNode) else node
        if not isinstance(kind, MapNode) or len(kind) != 1:
            return cursor.reject(kind, self._not_one_kind(kind))
        (word,) = kind
        if word not in self.fields:
            self._report_unknown(word, kind, cursor)
            return INVALID
        assert isinstance(node, MapNode)  # the kind is a part of it
        values = {
            key: self._read_value(key, node, cursor) for key in [word, *others] if key in node
        }
        return INVALID if INVALID in values.values() else {**values[word], self.tag: word}

    def _read_value(self, word: str, node: MapNode, cursor: Cursor) -> Any:
        key = self.fields[word].key
        path = () if word in self.kinds else None
        return key.kind.read(node[word], cursor.enter(word, node.positions[word], path, key))

    def _not_one_kind(self, node: Node) -> InvalidValue:
        expected = " or ".join(self.kinds)
        if isinstance(node, MapNode):
            kinds = ", ".join(node) or "none"
            return InvalidValue(
                f"{self.noun} has exactly one kind, this one has {kinds}", expected=expected
            )
        hint = f"write {inline_yaml({'run': str(node)})}" if isinstance(node, ScalarNode) else ""
        return InvalidValue(
            f"expected {self.noun}, got {describe(node)}", expected=expected, hint=hint
        )


def _declared_fields(data: type) -> dict[str, Field]:
    """Return the declared keys of a TypedDict, by the names that specs use for them."""
    fields: dict[str, Field] = {}
    for name, annotation in data.__annotations__.items():
        for declared in getattr(annotation, "__metadata__", ()):
            if isinstance(declared, Key):
                fields[declared.name or name] = Field(declared, name)
            elif isinstance(declared, ExactlyOne):
                fields |= {
                    word: Field(key, name, declared.tag) for word, key in declared.keys.items()
                }
    return fields
