"""What a unit answered, in sections and lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass
from envctl.parity.fact_format import Unknown

Values: TypeAlias = Iterator[tuple[str, "str | Unknown"]]
MODE: Final = re.compile(r"(\d+) (\d+) (\d+) ([^\t]+)\t(.+)")
"""Mode, user, group, kind and path, as `stat` prints them."""
_LONGEST: Final = 16 * 1024
"""Characters of a line; nothing that is told in lines has longer ones, two paths included."""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """An answer to one question; one that is cut off is not whole."""

    name: str
    body: str
    is_whole: bool


def sections(output: bytes, mark: str) -> Sequence[AnswerSection]:
    """The sections of a telling; only the last can have been cut off, unless it says that this is the end."""
    parts = output.decode("utf-8", "surrogateescape").split(f"{mark}:")[1:]
    whole: list[AnswerSection] = []
    for number, part in enumerate(parts, start=1):
        name, nul, body = part.partition("\0")
        whole.append(AnswerSection(name, body, bool(nul) and number < len(parts)))
    return whole


def lines(body: str) -> list[str]:
    """The lines of a text, as programs end them: whatever else is a line's end to some may be in a name.

    ValueError if one is so long that nothing told in lines has it.
    """
    split = body.removesuffix("\n").split("\n") if body else []
    if any(len(line) > _LONGEST for line in split):
        raise ValueError("a line is too long")
    return split
