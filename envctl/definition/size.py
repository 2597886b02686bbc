"""Bounds the size of a spec with aliases, variables and `extends` expanded: a small file can expand to gigabytes."""

from __future__ import annotations

from typing import Final

from envctl.definition.memo import memoized
from envctl.definition.problems import Problems
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    children,
)

MAX_VALUES: Final = 100_000
"""A spec of 1,000 services has some 20,000."""
MAX_CHARACTERS: Final = 8 * 1024 * 1024


class Size:
    """Counts values and characters each time they are used. Too many stop the reading of the spec."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values = 0
        self._characters = 0

    def add(self, node: Node, position: Position, name: str) -> None:
        """Count a part of the spec. Raises SpecError if the total is too large."""
        values, characters = _measured(node)
        self._values += values
        self._characters += characters
        for total, most, unit in (
            (self._values, MAX_VALUES, "values"),
            (self._characters, MAX_CHARACTERS, "characters"),
        ):
            if total > most:
                part = values if unit == "values" else characters
                self._problems.add(
                    position,
                    f"with {name} the spec has more than {most:,} {unit}",
                    hint=f"{part:,} of them come from it, including its variables, aliases and extends; "
                    "move long content into a file, and copy or mount it",
                )
                self._problems.stop()


def _measured(node: Node) -> tuple[int, int]:
    """Return the number of values in a node, and of their characters. Shared nodes are counted through once."""
    if isinstance(node, ScalarNode):
        return 1, len(node)
    if isinstance(node, NullNode):
        return 1, 0
    return memoized(node, "size", lambda: _counted(node))


def _counted(node: MapNode | ListNode | ListExtension) -> tuple[int, int]:
    parts = list(map(_measured, children(node)))
    values = 1 + sum(part[0] for part in parts)
    keys = sum(map(len, node)) if isinstance(node, MapNode) else 0
    return values, sum(part[1] for part in parts) + keys
