"""Where the values of the data come from: the positions in the tree, by the paths in the data.

Stored as plain tuples and converted to `Origin`s on demand, since most commands need few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias

from envctl.definition.tree import Position, Replaced
from envctl.definition.value_origin import KeyPath, Origin
from envctl.errors import Place

RawOrigin: TypeAlias = tuple[Position, Replaced, str]
"""A position, what the value replaced, and which variables it comes from, in words."""
OriginsByService: TypeAlias = dict[str, dict[KeyPath, RawOrigin]]
"""For each service, origins by path within it; under "" those of everything else."""


class Origins(Mapping[KeyPath, Origin]):
    """Origins by path. They are loaded and created on demand."""

    def __init__(self, load: Callable[[], OriginsByService]) -> None:
        self._load = load

    @cached_property
    def parts(self) -> OriginsByService:
        """The raw origins."""
        return self._load()

    def __getitem__(self, path: KeyPath) -> Origin:
        position, replaced, note = self._raw(path)
        return Origin(
            Place(*position, note), tuple((Place(*place), text) for place, text in replaced)
        )

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, tuple):
            return False
        part, inner = part_of(path)
        return inner in self.parts.get(part, ())

    def place(self, path: KeyPath) -> Place:
        """Where the value was set. Raises KeyError."""
        position, _, note = self._raw(path)
        return Place(*position, note)

    def of_service(self, name: str) -> Mapping[KeyPath, RawOrigin]:
        """Return the raw origins of a service's values, by their paths within it."""
        return self.parts.get(name, {})

    def _raw(self, path: KeyPath) -> RawOrigin:
        part, inner = part_of(path)
        return self.parts[part][inner]

    def __iter__(self) -> Iterator[KeyPath]:
        for name, part in self.parts.items():
            for path in part:
                yield ("services", name, *path) if name else path

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def without(self, path: KeyPath) -> Origins:
        """Return the same origins without one path."""
        part, inner = part_of(path)
        others = {
            key: raw_origin for key, raw_origin in self.parts.get(part, {}).items() if key != inner
        }
        return Origins(lambda: {**self.parts, part: others})


def part_of(path: KeyPath) -> tuple[str, KeyPath]:
    """Return the service that a path is in, and the path within it; "" and the path if it is in none."""
    if len(path) > 1 and path[0] == "services":
        return str(path[1]), path[2:]
    return "", path
