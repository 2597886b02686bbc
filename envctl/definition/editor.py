"""The JSON Schema for editors, from the same models that validate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from envctl.definition.schema import OverlayForm, SpecForm

_NULL = {"type": "null"}
_VARIABLE = "[$][{]"
"""Matches what a variable is used in: its value is not known to an editor."""
_WHOLE = (
    "AcceptForm",
    "CopyForm",
    "MountForm",
    "PipForm",
    "PortForm",
    "RunForm",
    "SecretUseForm",
    "TemplateForm",
)
"""Forms that stand in lists, which replace: always written whole. Others may be a part that is merged."""
_ABOUT = ("title", "description", "examples", "default")


def json_schema(which: Literal["envctl", "environment"]) -> dict[str, Any]:
    """The schema of `envctl.yaml`, or of an overlay, where null removes and nothing is required."""
    model = SpecForm if which == "envctl" else OverlayForm
    made = model.model_json_schema(by_alias=True)
    forms = made.pop("$defs")
    schema = _form(made, forms, whole=True)
    if which == "envctl":
        schema["properties"]["project"] = made["properties"]["project"]
    schema["patternProperties"] = {"^x-": {}}
    schema["$defs"] = {
        name: _form(form, forms, whole=name in _WHOLE) for name, form in forms.items()
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "envctl.yaml" if which == "envctl" else "environments/NAME.yaml"
    return schema


def _form(form: Mapping[str, Any], forms: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """A form whose values may be variables or removed by null; one that is merged has no required keys."""
    result = dict(form)
    if not whole:
        result.pop("required", None)
    result["properties"] = {
        name: _property(field, forms) for name, field in form.get("properties", {}).items()
    }
    return result


def _property(field: Mapping[str, Any], forms: Mapping[str, Any]) -> dict[str, Any]:
    about = {key: field[key] for key in _ABOUT if key in field}
    if "description" not in about and "$ref" in field:
        about["description"] = forms[field["$ref"].rpartition("/")[2]]["description"]
    return {**about, **_nullable(_value({key: field[key] for key in field if key not in _ABOUT}))}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    choices = schema.get("anyOf", [schema])
    return {"anyOf": choices if _NULL in choices else [*choices, _NULL]}


def _value(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value, parts included, with a variable in place of a known word or pattern."""
    result = dict(schema)
    if "anyOf" in result:
        result["anyOf"] = [_value(choice) for choice in result["anyOf"]]
    if isinstance(result.get("items"), dict):
        result["items"] = _value(result["items"])
    if "patternProperties" in result:
        found = result["patternProperties"].items()
        result["patternProperties"] = {name: _nullable(_value(item)) for name, item in found}
        result["additionalProperties"] = False
    if "pattern" in result:
        result["pattern"] = f"{result['pattern']}|{_VARIABLE}"
    if "enum" in result:
        words = {"enum": result.pop("enum")}
        result["anyOf"] = [words, {"type": "string", "pattern": _VARIABLE}]
    return result
