"""BuildKit's progress records, decoded: the few fields of its protobuf messages that are needed.

`StatusResponse` of moby/buildkit's control API: 1 vertexes, 3 logs. `Vertex`: 1 digest, 3 name, 4 cached,
5 started, 6 completed, 7 error. `VertexLog`: 1 vertex, 4 msg. Unknown fields are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = int | bytes

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_FIXED32: Final = 5
_LONGEST_VARINT: Final = 10


@dataclass(frozen=True, slots=True)
class Vertex:
    """A piece of a build's work as it stands now; `error` is empty unless it failed."""

    digest: str
    name: str
    cached: bool = False
    started: bool = False
    completed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """Something the command of a vertex printed."""

    vertex: str
    data: bytes


def decode(message: bytes) -> Iterator[Vertex | Output]:
    """The vertexes and the outputs of a StatusResponse. ValueError if it is none."""
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            yield _vertex(value)
        elif number == 3 and isinstance(value, bytes):
            yield _output(value)


def _vertex(message: bytes) -> Vertex:
    found = dict(_fields(message))
    return Vertex(
        _text(found.get(1)),
        _text(found.get(3)),
        cached=bool(found.get(4)),
        started=5 in found,
        completed=6 in found,
        error=_text(found.get(7)),
    )


def _output(message: bytes) -> Output:
    found = dict(_fields(message))
    data = found.get(4, b"")
    return Output(_text(found.get(1)), data if isinstance(data, bytes) else b"")


def _text(value: Value | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message: number and value, those of fixed width as bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, position = _varint(message, position)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"not a protobuf message: wire type {kind}")
        if position + size > len(message):
            raise ValueError("not a protobuf message: cut off")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count in range(_LONGEST_VARINT):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position
    raise ValueError("not a protobuf message: bad number")
