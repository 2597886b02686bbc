"""The order in which packages are installed, so that builds share layers. Pure.

Services of one environment share the packages that they have in common. Environments share the packages that their
services have from the root file, which all of them include: so planning one environment reads no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from envctl.definition.names import BUILT_IN, ROOT_FILE
from envctl.definition.resolved import Resolved
from envctl.plan.image_names import base_image
from envctl.plan.platforms import image_name

Packages: TypeAlias = frozenset[str]
Chain: TypeAlias = tuple[tuple[str, ...], ...]
PackageSets: TypeAlias = Mapping[str, frozenset[Packages]]
"""By base image, sets of packages that may become separate layers."""

_MOST_SETS = 200


def package_sets(resolved: Resolved) -> PackageSets:
    """Return the packages of each service of an environment, and those of them that the root file adds."""
    sets: dict[str, set[Packages]] = {}
    for image, packages in _package_sets(resolved):
        sets.setdefault(image, set()).add(packages)
    return {image: frozenset(of_image) for image, of_image in sets.items()}


def _package_sets(resolved: Resolved) -> Iterator[tuple[str, Packages]]:
    for name, service in resolved.data["services"].items():
        base, packages = service["base"], service["packages"]
        if base is None or not packages:
            continue
        plain = base["image"] or base_image(base["name"], base["snapshot"])
        image = image_name(plain, service["platform"] or "")
        yield image, frozenset(packages)
        places = (
            resolved.where("services", name, "packages", index) for index in range(len(packages))
        )
        in_root_file = frozenset(
            package
            for package, place in zip(packages, places, strict=True)
            if place is not None and _is_shared(place.file, resolved)
        )
        if in_root_file:
            yield image, in_root_file


def _is_shared(file: str, resolved: Resolved) -> bool:
    """Whether a file belongs to all environments: the root file, or an entry of a catalogue."""
    return file == ROOT_FILE or file.startswith(BUILT_IN) or file in resolved.inputs


def install_order(packages: Packages, known: frozenset[Packages]) -> Chain:
    """Return the packages in the order in which they are installed, so that sets with a common part share layers.

    The part that overlapping sets have in common comes first. The result depends only on the sets, so every service
    gets the same layers for the common part.
    """
    return _layers(known).chain(packages)


class _Layers:
    """The layers that some sets of packages share."""

    def __init__(self, known: frozenset[Packages]) -> None:
        self._shared = sorted(filter(None, _closed(known)), key=len, reverse=True)
        self._chains: dict[Packages, Chain] = {frozenset(): ()}

    def chain(self, packages: Packages) -> Chain:
        """Return the layers that install these packages, the lowest first."""
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
        """Return the largest shared set that is a proper subset of these packages."""
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
    """Cached, because every service of a project needs the same result."""
    return _Layers(known)


def _closed(sets: frozenset[Packages]) -> set[Packages]:
    """Return the sets and all their intersections, up to a limit: sharing only affects speed."""
    closed = set(sets)
    fresh = set(sets)
    while fresh and len(closed) < _MOST_SETS:
        fresh = {left & right for left in fresh for right in sets} - closed
        closed |= fresh
    return closed
