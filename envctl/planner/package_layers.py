"""In what order packages are installed, so that builds share layers."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

Packages: TypeAlias = frozenset[str]
Chain: TypeAlias = tuple[tuple[str, ...], ...]

_MOST_SETS = 200


def install_order(packages_wanted: Packages, known: set[Packages]) -> Chain:
    """The packages in the order they are installed, so that sets with a common part share layers.

    What all known sets that overlap have in common comes first. The result depends on the sets
    only, so every service and environment of a project lays the common part out alike.
    """
    return _layers(frozenset(known)).chain(packages_wanted)


class _Layers:
    """The layers that some sets of packages share."""

    def __init__(self, known: frozenset[Packages]) -> None:
        self._shared = sorted(filter(None, _closed(known)), key=len, reverse=True)
        self._chains: dict[Packages, Chain] = {frozenset(): ()}

    def chain(self, packages: Packages) -> Chain:
        """The layers that install these packages, the lowest first."""
        uppers = []
        while packages not in self._chains:
            lower = self._largest_part(packages)
            uppers.append((packages, tuple(sorted(packages - lower))))
            packages = lower
        chain = self._chains[packages]
        for upper, added in reversed(uppers):
            chain = self._chains[upper] = (*chain, added)
        return chain

    def _largest_part(self, packages: Packages) -> Packages:
        """The largest shared set within these packages, and not all of them."""
        size = 0
        parts: list[Packages] = []
        for candidate in self._shared:
            if parts and len(candidate) < size:
                break
            if candidate < packages:
                size = len(candidate)
                parts.append(candidate)
        return min(parts, key=sorted, default=frozenset())


@lru_cache(maxsize=4)
def _layers(known: frozenset[Packages]) -> _Layers:
    """Remembered, since each of a project's services asks for the same."""
    return _Layers(known)


def _closed(sets: frozenset[Packages]) -> set[Packages]:
    """The sets and all their intersections; bounded, since sharing is a matter of speed only."""
    closed = set(sets)
    fresh = set(sets)
    while fresh and len(closed) < _MOST_SETS:
        fresh = {left & right for left in fresh for right in sets} - closed
        closed |= fresh
    return closed
