"""The fields that the authoring forms are made of: how each is read, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from envctl.definition import forms, names
from envctl.plan import platforms

NAME = "[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
VARIABLE = "[a-z_][a-z0-9_]{0,63}"
ENV = "[A-Za-z_][A-Za-z0-9_]{0,254}"
STORED = "[a-z]([a-z0-9_-]{0,38}[a-z0-9])?"
IMAGE = r"[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?"
PACKAGE = r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?"
USER = "[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}"

TEXT: Mapping[str, Any] = {"type": ["string", "number"]}
STRING: Mapping[str, Any] = {"type": "string"}
COMMAND: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": TEXT, "minItems": 1},
    ]
}
NUMERIC: Mapping[str, Any] = {"type": ["integer", "string"]}


class Reads:
    """A scalar field: the function that reads it, and what an editor should know about it."""

    def __init__(self, read: Callable[[Any], Any], schema: Mapping[str, Any]) -> None:
        self.read = read
        self.schema = schema

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _: Any, __: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


class Short:
    """A form that has short forms: the function that expands them, and their JSON Schemas."""

    def __init__(self, expand: Callable[[Any], Any], *schemas: Mapping[str, Any]) -> None:
        self.expand = expand
        self.schemas = schemas

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [*map(dict, self.schemas), handler(schema)]}


def matching(expression: str, expected: str, *, longest: int = 255) -> Reads:
    """Texts that match a regular expression."""
    schema = {"type": "string", "pattern": f"^({expression})$"}
    return Reads(forms.pattern(expression, expected, longest=longest), schema)


def bounded(low: int, high: int) -> Reads:
    """Whole numbers within bounds."""
    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, STRING]}
    return Reads(partial(forms.whole, low=low, high=high), schema)


def words(*words: str) -> Reads:
    """One of some words."""
    return Reads(forms.one_of(*words), {"enum": list(words)})


_small = "small letters, digits and"
Name: TypeAlias = Annotated[str, matching(NAME, names.ALLOWED)]
Variable: TypeAlias = Annotated[str, matching(VARIABLE, f"{_small} _, no digit first")]
EnvName: TypeAlias = Annotated[str, matching(ENV, "letters, digits and _, no digit first")]
Stored: TypeAlias = Annotated[
    str, matching(STORED, f"at most 40 {_small} - or _, a letter first and no - or _ last")
]
Image: TypeAlias = Annotated[str, matching(IMAGE, "an image name, such as debian:bookworm")]
Package: TypeAlias = Annotated[
    str, matching(PACKAGE, "a package name, such as python3, or name=version")
]
Snapshot: TypeAlias = Annotated[
    str, Reads(forms.mirror, {"type": "string", "pattern": "^(https?://|[$])"})
]
Anything: TypeAlias = Annotated[str, Reads(forms.text, TEXT)]
Filled: TypeAlias = Annotated[str, Reads(forms.filled, TEXT)]
EnvText: TypeAlias = Annotated[str, Reads(forms.plain_text, TEXT)]
Boolean: TypeAlias = Annotated[bool, Reads(forms.boolean, {"type": ["boolean", "string"]})]
PortNumber: TypeAlias = Annotated[int, bounded(1, 65_535)]
Duration: TypeAlias = Annotated[float, Reads(forms.duration, TEXT)]
Time: TypeAlias = Annotated[float, Reads(forms.positive_duration, TEXT)]
Command: TypeAlias = Annotated[list[str], Reads(forms.command, COMMAND)]
Commands: TypeAlias = Annotated[
    list[list[str]],
    Reads(forms.commands, {"anyOf": [STRING, {"type": "array", "items": COMMAND}]}),
]
UnitPath: TypeAlias = Annotated[str, Reads(forms.unit_path, {"type": "string", "pattern": "^[/$]"})]
UnitFolder: TypeAlias = Annotated[
    str, Reads(forms.unit_folder, {"type": "string", "pattern": "^[/$]"})
]
MountTarget: TypeAlias = Annotated[
    str, Reads(forms.mount_target, {"type": "string", "pattern": "^[/$]"})
]
ProjectPath: TypeAlias = Annotated[str, Reads(forms.project_path, STRING)]
HostPath: TypeAlias = Annotated[str, Reads(forms.host_path, STRING)]
Mode: TypeAlias = Annotated[str, Reads(forms.mode, NUMERIC)]
Owner: TypeAlias = Annotated[str, Reads(forms.owner, STRING)]
Platform: TypeAlias = Annotated[
    str,
    Reads(
        forms.platform,
        {"anyOf": [{"enum": list(platforms.PLATFORMS)}, {"type": "string", "pattern": "[$]"}]},
    ),
]
UserName: TypeAlias = Annotated[str, matching(USER, "a user name, such as web, or a number")]
Free: TypeAlias = Annotated[dict[str, Any], Reads(forms.settings, {"type": "object"})]


class Form(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def __deepcopy__(self, _memo: dict[int, Any] | None = None) -> Self:
        """Itself: nobody changes a form, and each service would be given copies of all its defaults."""
        return self


def mapping_or(key: str, kind: type, expected: str) -> Callable[[Any], Any]:
    """Expand a short form that stands for one key of the mapping."""

    def expand(value: Any) -> Any:
        if isinstance(value, kind):
            return {key: value}
        if not isinstance(value, dict):
            raise forms.wrong_type(value, expected)
        return value

    return expand
