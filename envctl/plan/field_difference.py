"""One thing that differs in a field of a unit's run. `run_causes` makes the causes of a change of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from envctl.plan.values import changed, value_text, word_text


class FieldDifference(NamedTuple):
    """One thing that differs: `path` leads to what set it, within the run."""

    path: tuple[str | int, ...]
    text: str
    warning: str = ""


FieldDifferences: TypeAlias = Iterator[FieldDifference]


def other_differences(
    what: str, was: Any, now: Any, path: tuple[str | int, ...], *, known: Sequence[str]
) -> FieldDifferences:
    """Yield the differences in keys that are not `known`, which have no wording of their own."""
    for key in sorted({*was, *now} - {"is", *known}):
        if was.get(key) != now.get(key):
            texts = value_text(was.get(key)), value_text(now.get(key))
            yield FieldDifference((*path, key), changed(f"{what} {word_text(key)}", *texts))
