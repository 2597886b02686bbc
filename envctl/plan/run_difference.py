"""One thing that differs between two runs of a unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from envctl.plan.values import changed, value_text, word_text


class RunDifference(NamedTuple):
    """One thing that differs: `path` leads to what set it, within the run."""

    path: tuple[str | int, ...]
    text: str
    warning: str = ""


RunDifferences: TypeAlias = Iterator[RunDifference]


def others(
    what: str, was: Any, now: Any, path: tuple[str | int, ...], *, known: Sequence[str]
) -> RunDifferences:
    """What differs in what no rule is about."""
    for key in sorted({*was, *now} - {"is", *known}):
        if was.get(key) != now.get(key):
            texts = value_text(was.get(key)), value_text(now.get(key))
            yield RunDifference((*path, key), changed(f"{what} {word_text(key)}", *texts))
