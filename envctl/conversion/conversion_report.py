"""What became of every key of the source, with its line and, where there is one, the line of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from envctl.definition.tree import ListNode, MapNode, Node, NullNode, Position, children
from envctl.lazy_dataclass import dataclass

SpecPath: TypeAlias = tuple[str | int, ...]
"""A path in the written spec."""


class KeyOutcome(StrEnum):
    """What became of a key."""

    SAME = "kept"
    TRANSLATED = "translated"
    OPTION = "options.docker"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One key of the source. `note` says into what it was translated, or why it was dropped and what to do about it."""

    position: Position
    path: str
    outcome: KeyOutcome
    note: str = ""
    new_path: SpecPath = ()
    environment: str = ""


PHRASES: Final[Mapping[KeyOutcome, str]] = {
    KeyOutcome.SAME: "kept",
    KeyOutcome.TRANSLATED: "translated to",
    KeyOutcome.OPTION: "kept under options.docker",
    KeyOutcome.DROPPED: "dropped because",
}

TABLE_WORDS: Final[Mapping[KeyOutcome, str]] = {
    KeyOutcome.SAME: "kept",
    KeyOutcome.TRANSLATED: "translated",
    KeyOutcome.OPTION: "kept under `options.docker`",
    KeyOutcome.DROPPED: "dropped",
}
"""What the tables of rules in the docs call them."""


class ConversionReport:
    """Collects the lines. A value in several environments is reported once for the same outcome.

    A dropped value that several services share is reported once, or with `by_service` for each of them.
    """

    def __init__(self, *, by_service: bool = False) -> None:
        self._by_service = by_service
        self._lines: dict[tuple[Position, KeyOutcome, str], ReportLine] = {}
        self.environment = ""
        self._claimed: set[Position] = set()

    def add(
        self,
        position: Position,
        path: str,
        outcome: KeyOutcome,
        note: str = "",
        new_path: SpecPath = (),
        *,
        is_claim: bool = True,
    ) -> None:
        """Say what became of the key or item at a position, with everything in it unless it is no claim."""
        line = ReportLine(position, path, outcome, note, new_path, self.environment)
        is_shared = outcome is KeyOutcome.DROPPED and not self._by_service
        key = (position, outcome, note if is_shared else path)
        self._lines.setdefault(key, line)
        if is_claim:
            self._claimed.add(position)

    def add_if_unclaimed(
        self, position: Position, path: str, outcome: KeyOutcome, note: str
    ) -> None:
        """Say what became of a key or item, if no line is about it."""
        if position not in self._claimed:
            self.add(position, path, outcome, note)

    @property
    def lines(self) -> list[ReportLine]:
        """All lines, in the order of the source."""
        return sorted(
            self._lines.values(), key=lambda line: (line.position, line.path, line.outcome)
        )

    @property
    def has_dropped(self) -> bool:
        """Whether anything was dropped."""
        return any(line.outcome is KeyOutcome.DROPPED for line in self._lines.values())

    def counts(self) -> Mapping[str, int]:
        """How many keys had each outcome."""
        counts = dict.fromkeys(map(str, KeyOutcome), 0)
        for line in self._lines.values():
            counts[line.outcome] += 1
        return counts

    def claim(self, node: Node) -> None:
        """A line is about a value and everything in it."""
        pending = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, MapNode):
                self._claimed.update(part.positions.values())
            elif not isinstance(part, ListNode):
                self._claimed.add(part.position)
            pending += children(part)

    def unreported(self, tree: MapNode) -> Iterator[tuple[Position, str, Node]]:
        """The largest parts of a file that no line is about, each with its path."""
        yield from self._of_map(tree, "")

    def _of_map(self, table: MapNode, path: str) -> Iterator[tuple[Position, str, Node]]:
        for key, node in table.items():
            if table.positions[key] not in self._claimed:
                yield from self._part(node, f"{path}.{key}" if path else key, table.positions[key])

    def _part(
        self, node: Node, path: str, position: Position
    ) -> Iterator[tuple[Position, str, Node]]:
        if not self._has_reported(node):
            yield position, path, node
        elif isinstance(node, MapNode):
            yield from self._of_map(node, path)
        elif isinstance(node, ListNode):
            for index, item in enumerate(node):
                yield from self._part(item, f"{path}[{index}]", item.position)

    def _has_reported(self, node: Node) -> bool:
        """Whether a line is about a value, or about a part of it. A collection begins where its first part does."""
        if isinstance(node, MapNode):
            if any(position in self._claimed for position in node.positions.values()):
                return True
        elif not isinstance(node, ListNode):
            return node.position in self._claimed
        return any(map(self._has_reported, children(node)))


def is_empty(node: Node) -> bool:
    """Whether a value says nothing."""
    return isinstance(node, NullNode) or (not isinstance(node, str) and not children(node))


def line_text(line: ReportLine, new_place: str) -> str:
    """A line for people."""
    file, number, _ = line.position
    phrase = PHRASES[line.outcome]
    note = line.note
    if line.outcome is KeyOutcome.SAME:
        note = f"({note})" if note else ""
    if line.outcome is KeyOutcome.OPTION:
        note = f"({note})" if note else ""
    arrow = f" → {new_place}" if new_place else ""
    return f"{file}:{number} {line.path}: {' '.join(filter(None, (phrase, note)))}{arrow}"


def line_json(line: ReportLine, new_place: tuple[str, int] | None) -> Mapping[str, Any]:
    """A line for programs."""
    file, number, column = line.position
    return {
        "file": file,
        "line": number,
        "column": column,
        "key": line.path,
        "outcome": str(line.outcome),
        "note": line.note,
        "new_file": new_place[0] if new_place else "",
        "new_line": new_place[1] if new_place else 0,
    }
