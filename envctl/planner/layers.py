"""In what order packages are installed, so that builds share layers."""

from __future__ import annotations

_MOST_SETS = 200


def install_order(
    wanted: frozenset[str], known: set[frozenset[str]]
) -> tuple[tuple[str, ...], ...]:
    """The packages in the order they are installed, so that sets with a common part share layers.

    What all known sets that overlap have in common comes first. The result depends on the sets
    only, so every service and environment of a project lays the common part out alike.
    """
    shared = _closed(known)

    def chain(packages: frozenset[str]) -> tuple[tuple[str, ...], ...]:
        if not packages:
            return ()
        inner = [candidate for candidate in shared if candidate and candidate < packages]
        if not inner:
            return (tuple(sorted(packages)),)
        first = min(inner, key=lambda names: (-len(names), sorted(names)))
        return (*chain(first), tuple(sorted(packages - first)))

    return chain(wanted)


def _closed(sets: set[frozenset[str]]) -> set[frozenset[str]]:
    """The sets and all their intersections; bounded, since sharing is a matter of speed only."""
    closed = set(sets)
    fresh = set(sets)
    while fresh and len(closed) < _MOST_SETS:
        fresh = {left & right for left in fresh for right in sets} - closed
        closed |= fresh
    return closed
