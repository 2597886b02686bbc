"""Validation errors in plain words, at the place of what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from envctl.definition import habits
from envctl.definition.forms import Wrong
from envctl.definition.problems import Problems
from envctl.definition.tree import Items, Node, Spot, Table, Text, what

_TYPES = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "a text",
    "default_type": "a value",
}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    tree: Table,
    *,
    path: Sequence[str],
    spot: Spot,
    problems: Problems,
) -> None:
    """Add what a validation found. `path` and `spot` are the tree's own."""
    for item in error.errors(include_url=False, include_input=False):
        found = _Found(tree, spot)
        _one(item, model, found, tuple(path), problems)


def _one(
    item: ErrorDetails,
    model: type[BaseModel],
    found: _Found,
    path: tuple[str, ...],
    problems: Problems,
) -> None:
    loc = [part for part in item["loc"] if part != "[key]"]
    kind = item["type"]
    if "${" in str(loc[-1:]) and item["loc"][-1:] == ("[key]",):
        # A variable in it is not known, or none works there: that has been told.
        return
    if loc[-1:] == [""]:
        # That a key is missing has been told.
        return
    for part in loc:
        found.enter(part)
    name = ".".join([*path, *map(str, loc[: found.depth])]) or "the file"
    last = str(loc[-1]) if loc else ""
    if kind == "missing":
        expected = _expected(model, loc, key=f"{last}: ")
        problems.add(found.spot, f"{name} lacks {last!r}", expected=expected)
    elif kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        hint = habits.of_key(last, found.node, model=_form(model, loc[:-1]), known=known)
        message = f"{'.'.join([*path, *map(str, loc[:-1])]) or 'the file'} has no key {last!r}"
        expected = "" if hint else ", ".join(known)
        problems.add(found.key_spot, message, expected=expected, hint=hint)
    else:
        wrong = item.get("ctx", {}).get("error")
        if isinstance(wrong, Wrong):
            text, expected, hint = wrong.message, wrong.expected, wrong.hint
        else:
            text, expected, hint = _mistyped(kind, model, loc, found), "", ""
        if found.whole and not hint:
            hint = _instead(text, model, loc, found)
        if isinstance(found.node, Text) and found.node.note:
            hint = "; ".join(filter(None, [hint, found.node.note]))
        is_key = item["loc"][-1:] == ("[key]",)
        at = found.key_spot if is_key else found.value_spot
        problems.add(at, f"{name}: {text}", expected=expected or _expected(model, loc), hint=hint)


def _instead(message: str, model: type[BaseModel], loc: Sequence[str | int], found: _Found) -> str:
    """How a value of the wrong kind is to be written."""
    if not message.startswith("expected "):
        return ""
    field = field_at(model, loc)
    key = next((str(part) for part in reversed(loc) if isinstance(part, str)), "")
    return habits.of_value(field, key, found.node)


def _mistyped(kind: str, model: type[BaseModel], loc: Sequence[str | int], found: _Found) -> str:
    """What was expected and what there is, when the very kind of value is wrong."""
    wanted = _TYPES.get(kind, "something else")
    field = field_at(model, loc)
    if kind == "list_type" and field is not None and form_in(field.annotation) is None:
        wanted = "a list of texts"
    return f"expected {wanted}, got {what(found.node) if found.whole else 'nothing'}"


class _Found:
    """A walk down the tree along an error's location, as far as it leads."""

    def __init__(self, tree: Node, spot: Spot) -> None:
        self.node: Node = tree
        self.key_spot = spot
        self.depth = 0
        self.whole = True

    def enter(self, part: str | int) -> None:
        if not self.whole:
            return
        node = self.node
        if isinstance(node, Table) and isinstance(part, int):
            part = next(iter(list(node)[part : part + 1]), "")
        if isinstance(node, Table) and part in node:
            self.key_spot, self.node = node.spots[str(part)], node[str(part)]
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node):
            self.node = node[part]
            self.key_spot = self.node.spot
        else:
            self.whole = False
            return
        self.depth += 1

    @property
    def value_spot(self) -> Spot:
        """The value's place if it is a scalar or on the key's line, else the key's."""
        spot = self.node.spot
        return spot if isinstance(self.node, Text) or spot[1] == self.key_spot[1] else self.key_spot

    @property
    def spot(self) -> Spot:
        """The place of what the walk ended at."""
        return self.key_spot


def field_at(model: type[BaseModel], loc: Sequence[str | int]) -> FieldInfo | None:
    """The field that a location leads to, or the last one before an index or a free key."""
    field: FieldInfo | None = None
    current: type[BaseModel] | None = model
    for part in loc:
        if current is None:
            continue
        found = next((one for name, one in fields(current) if name == part), None)
        if found is None:
            continue
        field, current = found, form_in(found.annotation)
    return field


def fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """A form's fields by the names they are written with."""
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def form_in(annotation: Any) -> type[BaseModel] | None:
    """The form that a field's type contains, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = form_in(part)
        if found is not None:
            return found
    return None


def _form(model: type[BaseModel], loc: Sequence[str | int]) -> type[BaseModel]:
    field = field_at(model, loc)
    return (form_in(field.annotation) if field else None) or model


def _keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    return [name for name, _ in fields(_form(model, loc))]


def _expected(model: type[BaseModel], loc: Sequence[str | int], *, key: str = "") -> str:
    field = field_at(model, loc)
    if field is None or not field.examples:
        return ""
    return f"for example {key}{_example(field.examples[0])}"


def _example(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_example(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_example, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            text = str(value)
            return (
                f'"{text}"'
                if ": " in text or (text.count(":") == 1 and text[0].isdigit())
                else text
            )
