"""Readers of scalars: texts, numbers, durations, sizes.

Each reader takes a node and returns a plain value, or raises InvalidValue. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

import re
from typing import Any

from envctl.definition.problems import suggestion
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    ScalarNode,
    describe,
    quoted,
)

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?\Z", re.ASCII
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?\Z", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?\Z", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}\Z", re.ASCII)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DAY = 86_400.0


class InvalidValue(ValueError):  # noqa: N818 — the name says enough
    """A value that is not valid: what is wrong, what was expected, and what to write instead."""

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint


def unexpected_type(value: object, expected: str) -> InvalidValue:
    """Return the error for a value of another type."""
    hint = ""
    if isinstance(value, MapNode) and len(value) == 1:
        key = next(iter(value))
        hint = f"to make {key + ': …'!r} a text, quote it"
    return InvalidValue(f"expected {expected}, got {describe(value)}", hint=hint)


def text(value: Any) -> str:
    """Any scalar, as it is written."""
    if isinstance(value, str):
        return str(value)
    raise unexpected_type(value, "a text")


def filled(value: Any) -> str:
    """Return a text that is not blank."""
    result = text(value)
    if not result.strip():
        raise InvalidValue("it is empty")
    return result


def plain_text(value: Any) -> str:
    """Return a text for an environment variable. Unquoted booleans are refused, since YAML tools differ on them."""
    if isinstance(value, ScalarNode) and value.plain and value.lower() in _BOOLEANS:
        raise InvalidValue(
            f"{value} is a boolean in YAML, but this is a text",
            expected="a text or a number",
            hint=f'quote it: "{value}"',
        )
    return text(value)


def boolean(value: Any) -> bool:
    """True or false (or yes, no, on, off)."""
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise InvalidValue(f"expected true or false, got {describe(value)}")


def integer(value: Any, *, low: int, high: int, name: str = "a whole number") -> int:
    """Return a whole number within bounds, read from its source text."""
    if not isinstance(value, str) or not _DIGITS.match(value):
        raise InvalidValue(f"expected {name}, got {describe(value)}", expected=f"{low} to {high}")
    number = int(value)
    if not low <= number <= high:
        raise InvalidValue(f"{number} is out of range", expected=f"{low} to {high}")
    return number


def number(value: Any) -> float:
    """Return a positive number of CPU cores."""
    if not isinstance(value, str) or not _NUMBER.match(value) or not 0 < float(value) <= 1024:
        raise InvalidValue(
            f"expected a number, got {describe(value)}", expected="more than 0, such as 0.5 or 2"
        )
    return float(value)


def duration(value: Any) -> float:
    """Return a duration in seconds, to the millisecond: "5s", "1m30s", "500ms", or a bare number of seconds."""
    result = None
    if isinstance(value, str) and _NUMBER.match(value):
        result = float(value)
    elif isinstance(value, str) and value and len(value) < 40 and (match := _DURATION.match(value)):
        hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
        result = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    if result is None:
        raise InvalidValue(
            f"expected a duration, got {describe(value)}", expected="5s, 1m30s, 500ms, or seconds"
        )
    if result > _DAY:
        raise InvalidValue(f"{value} is longer than a day", expected="5s, 1m30s, 500ms, or seconds")
    return round(result, 3)


def positive_duration(value: Any) -> float:
    """Return a duration of more than 0."""
    result = duration(value)
    if result <= 0:
        raise InvalidValue("a duration of 0 is not allowed")
    return result


def size(value: Any) -> int:
    """Return a size in bytes: "512M", "1GiB", or a bare number of bytes; units are powers of 1024."""
    match = _SIZE.match(value) if isinstance(value, str) and len(value) < 30 else None
    if not match:
        raise InvalidValue(
            f"expected a size, got {describe(value)}", expected="512M, 1GiB, or bytes"
        )
    return int(float(match[1]) * _FACTORS[match[2].lower()])


def memory(value: Any) -> int:
    """Return a memory limit in bytes, with which something can still start."""
    result = size(value)
    if result < 6 * 1024**2:
        raise InvalidValue(
            f"{value} is {result} bytes, too little to start anything", expected="6M or more"
        )
    if result > 1024**5:
        raise InvalidValue(
            f"{value} is more memory than any machine has", expected="512M, 1GiB, or bytes"
        )
    return result


def pattern(expression: str, expected: str, *, longest: int = 255) -> Any:
    """Return a reader that accepts texts that match a pattern."""
    compiled = re.compile(rf"(?:{expression})\Z")

    def read(value: Any) -> str:
        result = text(value)
        if not compiled.match(result):
            raise InvalidValue(f"{quoted(result)} is not allowed here", expected=expected)
        if len(result) > longest:
            raise InvalidValue(f"it is longer than {longest} characters", expected=expected)
        return result

    return read


def one_of(*words: str) -> Any:
    """Return a reader that accepts one of these words."""

    def read(value: Any) -> str:
        result = text(value)
        if result not in words:
            hint = suggestion(result, words)
            raise InvalidValue(
                f"{quoted(result)} is not a valid choice",
                expected=" or ".join(words),
                hint=hint if "did you mean" in hint else "",
            )
        return result

    return read


def items(value: Any, *, name: str = "texts") -> list[Any]:
    """Return a list."""
    if isinstance(value, ListExtension):
        value = ListNode(value.position, [*value.before, *value.after])
    if not isinstance(value, list):
        raise InvalidValue(f"expected a list{name and f' of {name}'}, got {describe(value)}")
    return value


def settings(value: Any) -> Any:
    """Settings that only a backend knows."""
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a mapping of the backend's settings, got {describe(value)}")
    return free(value)


def free(value: Any) -> Any:
    """Data that only a backend or a template knows: typed as in JSON. What YAML tools read differently is refused."""
    match value:
        case ScalarNode() if value.plain:
            return _typed(value)
        case str():
            return str(value)
        case dict():
            return {str(key): free(item) for key, item in value.items()}
        case list() | ListExtension():
            return [free(item) for item in items(value)]
        case _:
            return None


def _typed(value: ScalarNode) -> Any:
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return value.lower() == "true"
    if value.lower() in _BOOLEANS:
        raise InvalidValue(
            f"{value} is a boolean for some YAML tools", hint=f'write true or false, or "{value}"'
        )
    if re.match(r"-?(0|[1-9]\d{0,17})\Z", value):
        return int(value)
    if re.match(r"-?(0|[1-9]\d{0,17})\.\d{1,17}\Z", value):
        return float(value)
    return str(value)


def line(value: Any) -> str:
    """Return a text that is not blank, on one line."""
    return " ".join(filled(value).split())
