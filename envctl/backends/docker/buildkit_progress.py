"""Decodes BuildKit's progress records: only the few fields that envctl needs.

`StatusResponse` of moby/buildkit's control API: 1 vertexes, 3 logs. `Vertex`: 1 digest, 3 name, 4 cached,
5 started, 6 completed, 7 error. `VertexLog`: 1 vertex, 4 msg. Unknown fields are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

from envctl.backends.docker.protobuf import fields, text
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Vertex:
    """The current state of a piece of a build's work; `error` is empty unless it failed."""

    digest: str
    name: str
    cached: bool = False
    started: bool = False
    completed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a vertex's command."""

    vertex: str
    data: bytes


def decode(message: bytes) -> Iterator[Vertex | Output]:
    """The vertexes and outputs in a StatusResponse. ValueError if the message is not one."""
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            yield _vertex(value)
        elif number == 3 and isinstance(value, bytes):
            yield _output(value)


def _vertex(message: bytes) -> Vertex:
    values = dict(fields(message))
    return Vertex(
        text(values.get(1)),
        text(values.get(3)),
        cached=bool(values.get(4)),
        started=5 in values,
        completed=6 in values,
        error=text(values.get(7)),
    )


def _output(message: bytes) -> Output:
    values = dict(fields(message))
    data = values.get(4, b"")
    return Output(text(values.get(1)), data if isinstance(data, bytes) else b"")
