"""The "did you mean" hint of all messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ALIKE: Final = 0.6
_LONGEST: Final = 80
"""How many letters of a word are compared. No name is longer, but an invalid word may be a megabyte."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most similar to a misspelt one; "" if none is similar."""
    # Compiled code: a thousand misspelt names among a thousand take a second; difflib would need many minutes.
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
    """Whether a word is a known word with one or two wrong letters."""
    from rapidfuzz.distance import OSA

    return OSA.distance(word[:_LONGEST], known) <= (2 if len(known) > 4 else 1)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known word, or with all known words."""
    names = sorted(known)
    suggestion = nearest(word, names)
    if suggestion:
        return f"did you mean {suggestion!r}?"
    return f"there is {', '.join(names)}" if names else ""
