"""The "did you mean" of every message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ALIKE: Final = 0.6
_LONGEST: Final = 80
"""Letters of a word that are looked at: no name is longer, and what is slipped in for one may be a megabyte."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a mistyped one is most like; "" if none is like it."""
    # Compiled: some thousand misspelt names among some thousand take a second, with difflib many minutes.
    from rapidfuzz import process
    from rapidfuzz.distance import OSA, Indel

    word = word[:_LONGEST]
    alike = process.extract(
        word, sorted(known), scorer=Indel.normalized_similarity, score_cutoff=_ALIKE, limit=5
    )
    return max(
        (name for name, *_ in alike), key=lambda name: OSA.similarity(word, name), default=""
    )


def is_near(word: str, known: str) -> bool:
    """Whether a word is a known one with a letter or two mistyped."""
    from rapidfuzz.distance import OSA

    return OSA.distance(word[:_LONGEST], known) <= (2 if len(known) > 4 else 1)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or else all of them."""
    names = sorted(known)
    suggestion = nearest(word, names)
    if suggestion:
        return f"did you mean {suggestion!r}?"
    return f"there is {', '.join(names)}" if names else ""
