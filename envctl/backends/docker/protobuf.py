"""Reads and writes protobuf messages without a library: only the parts that BuildKit's messages use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

Value: TypeAlias = int | bytes

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_FIXED32: Final = 5
_LONGEST_VARINT: Final = 10


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message: number and value; fixed-width values as bytes."""
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


def text(value: Value | None) -> str:
    """The text of a field; "" if it is missing or of another type."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def message(values: Iterable[tuple[int, Value]]) -> bytes:
    """A message with these fields: numbers as varints, bytes with their length; zero and empty values are omitted."""
    return b"".join(_field(number, value) for number, value in values if value)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _encoded(number << 3 | _VARINT) + _encoded(value)
    return _encoded(number << 3 | _LENGTH) + _encoded(len(value)) + value


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
