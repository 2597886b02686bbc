"""The JSON Schema for editors, generated from the declarations of the keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from envctl.definition.form import Field, Form, Tagged
from envctl.definition.key import REQUIRED, ValueKind
from envctl.definition.keys.spec_file import OVERLAY, SPEC
from envctl.definition.kinds import ListOf, MapOf, Scalar, ScalarOr

_NULL = {"type": "null"}
_VARIABLE = "[$][{]"
"""Matches a value with a variable, which an editor cannot check."""


def json_schema(which: Literal["envctl", "environment"]) -> dict[str, Any]:
    """Return the schema of `envctl.yaml`, or of an overlay, where null removes and nothing is required."""
    form = SPEC if which == "envctl" else OVERLAY
    forms = _Forms()
    schema = forms.mapping(form, is_whole=which == "envctl")
    if which == "envctl":
        # It cannot be removed, and it cannot contain a variable.
        schema["properties"]["project"] = {
            **forms.about(form.fields["project"]),
            **_plain(form.fields["project"].key.kind),
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": form.title if form is SPEC else "environments/NAME.yaml",
        "patternProperties": {"^x-": {}},
        "$defs": forms.known,
    }


class _Forms:
    """The schemas of forms, each generated once, by the names of their data."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}

    def mapping(self, form: Form, *, is_whole: bool) -> dict[str, Any]:
        """Return the schema of a form. What is merged with other files requires nothing."""
        required = {"required": form.required} if is_whole and form.required else {}
        return {
            "type": "object",
            "description": form.doc,
            "properties": {
                word: {**self.about(field), **self._nullable(field.key.kind, is_whole=is_whole)}
                for word, field in form.fields.items()
            },
            **required,
            **(_one_of(form.kinds) if isinstance(form, Tagged) else {}),
            "additionalProperties": False,
        }

    def about(self, field: Field) -> dict[str, Any]:
        """Return the description, example and default of a key."""
        key = field.key
        schema: dict[str, Any] = {"description": key.doc}
        if key.example is not None:
            schema["examples"] = [key.example]
        if key.write is None and key.default not in (REQUIRED, None, "", [], {}):
            schema["default"] = key.default
        return schema

    def _nullable(self, kind: ValueKind, *, is_whole: bool) -> dict[str, Any]:
        schema = self.value(kind, is_whole=is_whole)
        return {"anyOf": [*schema.get("anyOf", [schema]), _NULL]}

    def value(self, kind: ValueKind, *, is_whole: bool) -> dict[str, Any]:
        """Return the schema of a value. Items of a list are complete, since lists are not merged."""
        match kind:
            case ListOf():
                items = self.value(kind.item, is_whole=True)
                listed = {"type": "array", "items": items}
                if kind.takes_one:
                    return {"anyOf": [*items.get("anyOf", [items]), listed]}
                return {"anyOf": [self._keyed(kind), listed]} if kind.map_keys else listed
            case MapOf():
                name = kind.key.schema["pattern"]
                entry = self._nullable(kind.value, is_whole=is_whole)
                mapping = {
                    "type": "object",
                    "patternProperties": {name: entry},
                    "additionalProperties": False,
                }
                names = {"type": "array", "items": {"type": "string"}}
                return {"anyOf": [names, mapping]} if kind.list_value else mapping
            case Form():
                if kind.name not in self.known:
                    self.known[kind.name] = {}
                    self.known[kind.name] = self.mapping(kind, is_whole=is_whole)
                reference = {"$ref": f"#/$defs/{kind.name}"}
                short = kind.shorthand.schema if kind.shorthand else ()
                return {"anyOf": [*map(dict, short), reference]} if short else reference
            case Scalar():
                return _with_variable(kind.schema)
            case ScalarOr():
                choices = (kind.scalar, kind.form)
                return {"anyOf": [self.value(choice, is_whole=is_whole) for choice in choices]}
        raise TypeError(kind)

    def _keyed(self, kind: ListOf) -> dict[str, Any]:
        """Return the schema of a mapping that is short for a list of forms."""
        form, (_, value) = kind.item, kind.map_keys or ("", "")
        assert isinstance(form, Form)  # only those have keys
        properties: dict[str, Any] = {
            word: {} for word in form.fields if word != (kind.map_keys or ("",))[0]
        }
        entry = {"type": "object", "properties": {**properties, value: {"type": "string"}}}
        return {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, entry]},
        }


def _one_of(kinds: Iterable[str]) -> dict[str, Any]:
    """Return the schema that requires exactly one of these keys."""
    return {"oneOf": [{"required": [kind]} for kind in kinds]}


def _plain(kind: ValueKind) -> dict[str, Any]:
    assert isinstance(kind, Scalar)
    return dict(kind.schema)


def _with_variable(schema: Any) -> dict[str, Any]:
    """Return the schema of a scalar, with a variable in place of a known word or pattern."""
    result = dict(schema)
    if "anyOf" in result:
        result["anyOf"] = [_with_variable(choice) for choice in result["anyOf"]]
    if isinstance(result.get("items"), dict):
        result["items"] = _with_variable(result["items"])
    if "pattern" in result:
        result["pattern"] = f"{result['pattern']}|{_VARIABLE}"
    if "enum" in result:
        words = {"enum": result.pop("enum")}
        result["anyOf"] = [words, {"type": "string", "pattern": _VARIABLE}]
    return result
