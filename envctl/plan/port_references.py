"""`${port.web.8000}` in a value of the spec: the port of this host that leads to port 8000 of web. Pure.

The port depends on the checkout. So the value contains a mark instead until the plan of a checkout is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_BEGIN: Final = "\ufdd0"
_END: Final = "\ufdd1"
"""Noncharacters of Unicode: no text of a spec has a reason to contain them."""
_MARK: Final = re.compile(f"{_BEGIN}([A-Za-z0-9_-]+)\\.([0-9]+){_END}")


def port_mark(unit: str, port: int) -> str:
    """Return the mark in a value that stands for the host port of a unit's port."""
    return f"{_BEGIN}{unit}.{port}{_END}"


def referenced_ports(text: str) -> Iterator[tuple[str, int]]:
    """Yield the units and their ports that a value refers to."""
    if _BEGIN in text:
        yield from ((match[1], int(match[2])) for match in _MARK.finditer(text))


def with_numbers(text: str, numbers: Mapping[tuple[str, int], int]) -> str:
    """Return the value with the host ports filled in; unknown ones are written as in the spec."""
    if _BEGIN not in text:
        return text

    def number(match: re.Match[str]) -> str:
        known = numbers.get((match[1], int(match[2])))
        return str(known) if known else _written(match)

    return _MARK.sub(number, text)


def as_written(text: str) -> str:
    """Return the value as the spec has it."""
    return _MARK.sub(_written, text) if _BEGIN in text else text


def _written(match: re.Match[str]) -> str:
    return f"${{port.{match[1]}.{match[2]}}}"


def data_as_written(value: Any) -> Any:
    """Data of the spec with all its values as the spec has them."""
    match value:
        case str():
            return as_written(value)
        case Mapping():
            return {key: data_as_written(item) for key, item in value.items()}
        case list() | tuple():
            return [data_as_written(item) for item in value]
        case _:
            return value
