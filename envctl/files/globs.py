"""Patterns of paths, matched in time linear in the length of the path, whatever the pattern.

Patterns come with a clone, and regular expressions with many `*` may never end, because they backtrack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from itertools import takewhile
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass

_MOST_STATES: Final = 4096
"""How many states are remembered before all are discarded."""


class Wild(Enum):
    """Wildcards for any text: within a name, everything, or folders (`**/`), possibly none."""

    NAME = auto()
    ALL = auto()
    FOLDERS = auto()


@dataclass(frozen=True, slots=True)
class OneOf:
    """A character in these ranges, or in none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    slash: bool = False
    """Whether it may match "/"."""

    def takes(self, char: str) -> bool:
        """Whether it matches a character."""
        if char == "/" and not self.slash:
            return False
        return any(first <= char <= last for first, last in self.ranges) is not self.negated


ANY_CHARACTER: Final = OneOf((), negated=True)
Token: TypeAlias = str | Wild | OneOf
"""Part of a pattern: a character or a wildcard."""
_Move: TypeAlias = Callable[[str], tuple[int, ...]]


class State:
    """The positions in all patterns that are possible after some text; `accepts` are the numbers of patterns that match it."""

    __slots__ = ("accepts", "places", "then")

    def __init__(self, places: frozenset[int], accepts: tuple[int, ...]) -> None:
        self.places = places
        self.accepts = accepts
        self.then: dict[str, State] = {}


class Globs:
    """Patterns, all matched at the same time, character by character; results are remembered."""

    def __init__(self, patterns: Iterable[Sequence[Token]]) -> None:
        patterns = list(patterns)
        tails = [_tail(tokens) for tokens in patterns]
        self._tails = tuple(tail for tail in tails if tail)
        self._heads = tuple(
            _head(tokens) for tokens, tail in zip(patterns, tails, strict=True) if not tail
        )
        self._moves: list[_Move] = []
        self._free: list[tuple[int, ...]] = []
        self._ends: dict[int, int] = {}
        starts = set()
        for number, tokens in enumerate(patterns):
            starts.add(len(self._moves))
            for token in tokens:
                self._add(token)
            self._ends[len(self._moves)] = number
            self._put(_nowhere, ())
        self._states: dict[frozenset[int], State] = {}
        self.start = self._state(starts)

    def ending(self, name: str, state: State) -> tuple[int, ...]:
        """Return the numbers, in order, of the patterns that match with this last name."""
        if not state.places or (
            not name.endswith(self._tails)
            # At the start of a path, a pattern without a fixed end matches only names that begin as it does.
            and not (self._heads and (state is not self.start or name.startswith(self._heads)))
        ):
            return ()
        return self.after(name, state).accepts

    def after(self, text: str, state: State) -> State:
        """Return the state after more text."""
        for char in text:
            state = state.then.get(char) or self._step(state, char)
            if not state.places:
                return state
        return state

    def _step(self, state: State, char: str) -> State:
        if len(self._states) > _MOST_STATES:
            self._states.clear()
            state.then.clear()
        places = {after for place in state.places for after in self._moves[place](char)}
        next_state = state.then[char] = self._state(places)
        return next_state

    def _state(self, places: set[int]) -> State:
        todo = list(places)
        while todo:
            for free in self._free[todo.pop()]:
                if free not in places:
                    places.add(free)
                    todo.append(free)
        key = frozenset(places)
        if key not in self._states:
            accepts = sorted(self._ends[place] for place in key if place in self._ends)
            self._states[key] = State(key, tuple(accepts))
        return self._states[key]

    def _add(self, token: Token) -> None:
        here = len(self._moves)
        stay, go = (here,), (here + 1,)
        match token:
            case Wild.NAME:
                self._put(lambda char: stay if char != "/" else (), go)
            case Wild.ALL:
                self._put(lambda char: stay if char != "\n" else (), go)
            case Wild.FOLDERS:
                # Entered or skipped: any text that ends with "/".
                self._put(_nowhere, (here + 1, here + 2))
                inside, out = (here + 1,), (here + 1, here + 2)
                self._put(lambda char: out if char == "/" else () if char == "\n" else inside, ())
            case OneOf():
                self._put(lambda char: go if token.takes(char) else (), ())
            case _:
                self._put(lambda char: go if char == token else (), ())

    def _put(self, move: _Move, free: tuple[int, ...]) -> None:
        self._moves.append(move)
        self._free.append(free)


def _head(tokens: Sequence[Token]) -> str:
    """Return the prefix that all names matched by a pattern share; "" if they share none."""
    return "".join(takewhile(lambda token: isinstance(token, str), tokens))  # type: ignore[arg-type]


def _tail(tokens: Sequence[Token]) -> str:
    """Return the suffix that all names matched by a pattern share; "" if they share none."""
    tail = ""
    for part in reversed(tokens):
        if not isinstance(part, str) or part == "/":
            break
        tail = part + tail
    return tail


def _nowhere(_char: str) -> tuple[int, ...]:
    return ()
