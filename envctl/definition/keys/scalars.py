"""The kinds of scalars: how each is read, what the reference calls it, what an editor should know of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from envctl.definition import names, path_readers, service_readers, value_readers
from envctl.definition.kinds import ListOf, MapOf, Scalar
from envctl.plan import platforms

NAME_PATTERN: Final = "[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
STORED_PATTERN: Final = "[a-z]([a-z0-9_-]{0,38}[a-z0-9])?"

STRING: Final[Mapping[str, Any]] = {"type": "string"}
NUMERIC: Final[Mapping[str, Any]] = {"type": ["integer", "string"]}
TEXT_SCHEMA: Final[Mapping[str, Any]] = {"type": ["string", "number"]}
COMMAND_SCHEMAS: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": "string", "minLength": 1},
    {"type": "array", "items": TEXT_SCHEMA, "minItems": 1},
)
_COMMAND: Final[Mapping[str, Any]] = {"anyOf": list(COMMAND_SCHEMAS)}
_ABSOLUTE: Final[Mapping[str, Any]] = {"type": "string", "pattern": "^[/$]"}


def matching(title: str, pattern: str, expected: str) -> Scalar:
    """Texts that match a regular expression."""
    schema = {"type": "string", "pattern": f"^({pattern})$"}
    return Scalar(value_readers.pattern(pattern, expected), title, schema)


def whole_number(low: int, high: int, title: str = "") -> Scalar:
    """Whole numbers within bounds."""
    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, STRING]}
    return Scalar(
        partial(value_readers.integer, low=low, high=high), title or f"{low} to {high}", schema
    )


def words(*words: str, also: tuple[object, ...] = ()) -> Scalar:
    """One of some words; `also` is what YAML makes of them, for editors."""
    title = " or ".join(f"`{word}`" for word in words)
    return Scalar(value_readers.one_of(*words), title, {"enum": [*words, *also]})


_LOWER_CASE = "lower-case letters, digits and"
NAME: Final = matching("name", NAME_PATTERN, names.ALLOWED)
EXTENDED: Final = matching(
    "service or entry", f"(catalogue/)?{NAME_PATTERN}", "a service, or catalogue/NAME"
)
VARIABLE: Final = matching(
    "variable name", "[a-z_][a-z0-9_]{0,63}", f"{_LOWER_CASE} _, no digit first"
)
ENV_NAME: Final = matching(
    "environment variable", "[A-Za-z_][A-Za-z0-9_]{0,254}", "letters, digits and _, no digit first"
)
STORED: Final = matching(
    "stored name",
    STORED_PATTERN,
    f"at most 40 {_LOWER_CASE} - or _, a letter first and no - or _ last",
)
IMAGE: Final = matching(
    "image name",
    r"[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?",
    "an image name, such as debian:bookworm",
)
PACKAGE: Final = matching(
    "package name",
    r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?",
    "a package name, such as python3, or name=version",
)
USER_NAME: Final = matching(
    "user name", "[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}", "a user name, such as web, or a number"
)
SNAPSHOT: Final = Scalar(
    service_readers.mirror, "mirror", {"type": "string", "pattern": "^(https?://|[$])"}
)
TEXT: Final = Scalar(value_readers.text, "text", TEXT_SCHEMA)
FILLED: Final = Scalar(value_readers.filled, "filled text", TEXT_SCHEMA)
LINE: Final = Scalar(value_readers.line, "filled text", TEXT_SCHEMA)
ENV_TEXT: Final = Scalar(value_readers.plain_text, "environment text", TEXT_SCHEMA)
BOOLEAN: Final = Scalar(value_readers.boolean, "boolean", {"type": ["boolean", "string"]})
PORT_NUMBER: Final = whole_number(1, 65_535, "port number")
DURATION: Final = Scalar(value_readers.duration, "duration", TEXT_SCHEMA)
TIME: Final = Scalar(value_readers.positive_duration, "time", TEXT_SCHEMA)
CORES: Final = Scalar(value_readers.number, "number of cores", TEXT_SCHEMA)
SIZE: Final = Scalar(value_readers.memory, "size", NUMERIC)
COMMAND: Final = Scalar(service_readers.command, "command", _COMMAND)
COMMANDS: Final = Scalar(
    service_readers.commands, "commands", {"anyOf": [STRING, {"type": "array", "items": _COMMAND}]}
)
UNIT_PATH: Final = Scalar(path_readers.unit_path, "unit path", _ABSOLUTE)
UNIT_FOLDER: Final = Scalar(path_readers.unit_folder, "unit folder", _ABSOLUTE)
STAGE_PATH: Final = Scalar(path_readers.stage_path, "stage path", _ABSOLUTE)
MOUNT_TARGET: Final = Scalar(path_readers.mount_target, "mount path", _ABSOLUTE)
SECRET_TARGET: Final = Scalar(path_readers.secret_target, "secret's path", _ABSOLUTE)
PROJECT_PATH: Final = Scalar(path_readers.project_path, "project path", STRING)
HOST_PATH: Final = Scalar(path_readers.host_path, "host path", STRING)
MODE: Final = Scalar(service_readers.mode, "mode", NUMERIC)
OWNER: Final = Scalar(service_readers.owner, "owner", STRING)
PLATFORM: Final = Scalar(
    service_readers.platform,
    "platform",
    {"anyOf": [{"enum": list(platforms.PLATFORMS)}, {"type": "string", "pattern": "[$]"}]},
)
REQUIREMENT: Final = Scalar(service_readers.requirement, "requirement", STRING)
SETTINGS: Final = Scalar(value_readers.settings, "free mapping", {"type": "object"})

ENV: Final = MapOf(ENV_NAME, ENV_TEXT)
FILLED_TEXTS: Final = ListOf(FILLED, items_name="texts")
REQUIREMENTS: Final = ListOf(REQUIREMENT, items_name="texts")
OPTIONS: Final = MapOf(NAME, SETTINGS)
