"""The differences of two resolved specs, with the places that cause them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from envctl.definition.resolved import Resolved
from envctl.definition.value_origin import KeyPath
from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.port_references import data_as_written


class _Absent:
    """In place of a value that one side does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that differs, or that only one of the specs has (ABSENT in the other)."""

    path: str
    before: Any
    after: Any
    before_where: Place | None = None
    after_where: Place | None = None


def differences(before: Resolved, after: Resolved) -> tuple[Difference, ...]:
    """Return all differences, in the order of the first spec; keys that only the second has come last in each mapping."""
    walk = _Walk(before, after)
    left, right = dict(before.data), dict(after.data)
    # Two environments have two names; that is not a difference.
    left.pop("environment", None)
    right.pop("environment", None)
    return tuple(walk.mappings((), (), left, right))


class _Walk:
    def __init__(self, before: Resolved, after: Resolved) -> None:
        self.before = before
        self.after = after

    def values(self, left: KeyPath, right: KeyPath, old: Any, new: Any) -> Iterator[Difference]:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self.mappings(left, right, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            yield from self.lists(left, right, old, new)
        elif type(old) is not type(new) or old != new:
            # `true` is not 1, though Python considers them equal.
            yield self.difference(left, right, old, new)

    def mappings(
        self, left: KeyPath, right: KeyPath, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Iterator[Difference]:
        for key in dict.fromkeys([*old, *new]):
            left_path, right_path = (*left, key), (*right, key)
            yield from self.values(
                left_path, right_path, old.get(key, ABSENT), new.get(key, ABSENT)
            )

    def lists(
        self, left: KeyPath, right: KeyPath, old: Sequence[Any], new: Sequence[Any]
    ) -> Iterator[Difference]:
        matcher = SequenceMatcher(None, [*map(_text, old)], [*map(_text, new)], autojunk=False)
        for tag, first, last, start, end in matcher.get_opcodes():
            if tag == "equal":
                continue
            paired = min(last - first, end - start)
            for offset in range(paired):
                old_index, new_index = first + offset, start + offset
                yield from self.values(
                    (*left, old_index), (*right, new_index), old[old_index], new[new_index]
                )
            for old_index in range(first + paired, last):
                yield self.difference((*left, old_index), right, old[old_index], ABSENT)
            for new_index in range(start + paired, end):
                yield self.difference(left, (*right, new_index), ABSENT, new[new_index])

    def difference(self, left: KeyPath, right: KeyPath, old: Any, new: Any) -> Difference:
        return Difference(
            path_text(right if old is ABSENT else left),
            data_as_written(old),
            data_as_written(new),
            # For a missing value this is its parent, which was set without it.
            self.before.where(*left),
            self.after.where(*right),
        )


def path_text(path: KeyPath) -> str:
    """Return a path in text: services.web.ports[0]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
