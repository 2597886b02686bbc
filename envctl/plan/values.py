"""Values in the words of a line that a person reads."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, Final

from envctl.plan.text import shown

_LENGTH: Final = 60
_BEFORE: Final = 12
"""The number of common characters that are shown before the difference of two long texts."""


def word_text(value: object) -> str:
    """Return a name or a path as it is, unless it has what would be lost on a line."""
    text = str(value)
    return text if text and text.isprintable() and " " not in text else shown(text)


def value_text(value: Any) -> str:
    """Return a value of any type, on one line and not as JSON."""
    match value:
        case None:
            return "unset"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case str():
            return shown(value)
        case dict():
            items = ((key, item) for key, item in value.items() if key != "is")
            return (
                ", ".join(f"{word_text(key)} {value_text(item)}" for key, item in items) or "none"
            )
        case list() | tuple():
            return ", ".join(map(value_text, value)) or "none"
        case _:
            return word_text(value)


def seconds_text(seconds: float) -> str:
    """Return a duration: "5 s"."""
    return f"{seconds:g} s"


def changed(name: str, old: str, new: str) -> str:
    """That something was one thing and is another: two long texts are shown from where they differ."""
    if old == new:
        return f"{name} {_short(new)} changed"
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    if max(len(old), len(new)) > _LENGTH and common > _LENGTH // 2:
        cut = common - _BEFORE
        old, new = f"…{old[cut:]}", f"…{new[cut:]}"
    return f"{name} {_short(old)} → {_short(new)}"


def _short(text: str) -> str:
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"
