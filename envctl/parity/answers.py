"""Splits the output of collect.sh into answers and lines. Pure."""

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
"""The maximum length of a line in characters. No valid line is longer, not even one with two paths."""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """The answer to one question. If it was cut off, `whole` is false."""

    name: str
    body: str
    is_whole: bool


def sections(output: bytes, mark: str) -> Sequence[AnswerSection]:
    """The answers in the script's output; only the last one can be cut off, unless it is the end mark."""
    parts = output.decode("utf-8", "surrogateescape").split(f"{mark}:")[1:]
    whole: list[AnswerSection] = []
    for number, part in enumerate(parts, start=1):
        name, nul, body = part.partition("\0")
        whole.append(AnswerSection(name, body, bool(nul) and number < len(parts)))
    return whole


def lines(body: str) -> list[str]:
    """The lines of a text, split at line feeds only: other line separators may be part of a file name.

    ValueError if a line is too long.
    """
    split = body.removesuffix("\n").split("\n") if body else []
    if any(len(line) > _LONGEST for line in split):
        raise ValueError("a line is too long")
    return split
