"""The keys of an entry of a catalogue: a service with parameters, which other services extend."""

from collections.abc import Mapping
from typing import Annotated, Final, TypedDict

from envctl.definition.form import Form
from envctl.definition.key import Key
from envctl.definition.keys.scalars import (
    BOOLEAN,
    LINE,
    PORT_NUMBER,
    PROJECT_PATH,
    TEXT,
    VARIABLE,
    matching,
    whole_number,
    words,
)
from envctl.definition.kinds import MapOf, Scalar

PARAMETER_KINDS: Final[Mapping[str, Scalar]] = {
    "text": LINE,
    "name": matching(
        "name", "[A-Za-z_][A-Za-z0-9_]{0,62}", "letters, digits and _, no digit first"
    ),
    "number": whole_number(0, 1_000_000_000),
    "port": PORT_NUMBER,
    "size": matching("size", "[1-9][0-9]{0,8}[KMG]?", "a size, such as 64M"),
    "secret": VARIABLE,
    "file": PROJECT_PATH,
    "files": PROJECT_PATH,
}
"""What the value of a parameter may be, by its `kind`."""


class ParameterData(TypedDict):
    """A value that a service gives to the entry with `with`."""

    description: Annotated[str, Key(LINE, "What it is for.", "The port that it listens on.")]
    kind: Annotated[
        str,
        Key(
            words(*PARAMETER_KINDS),
            "What its value may be. `files` are a folder of the project, or a pattern in one: `db/*.sql`.",
            "port",
            "text",
        ),
    ]
    default: Annotated[
        str | None,
        Key(TEXT, "Its value where the service gives none. It may refer to others.", 5432, None),
    ]
    required: Annotated[bool, Key(BOOLEAN, "Whether the service has to give it.", True, False)]


PARAMETER: Final = Form(ParameterData, title="Parameter")


class EntryData(TypedDict):
    """An entry of a catalogue: a file `NAME.yaml`. What `service` holds is written as any service."""

    description: Annotated[str, Key(LINE, "What it is, in a line.", "Redis, a store in memory.")]
    parameters: Annotated[
        dict[str, ParameterData],
        Key(
            MapOf(VARIABLE, PARAMETER),
            "Its parameters, by name. In the service, `${name}` is the value of one.",
            {"port": {"description": "The port that it listens on.", "default": 6379}},
            {},
        ),
    ]


ENTRY: Final = Form(EntryData, title="Entry of a catalogue")
