"""Patterns of paths, matched in time linear in the length of the path, whatever the pattern.

Patterns come with a clone, and regular expressions with many `*` can take for ever: they backtrack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from envctl.lazy_dataclass import dataclass

_MOST_STATES: Final = 4096
"""How many sets of places in a pattern are remembered before all are forgotten."""


class Wild(Enum):
    """What stands for any text: within a name, for everything, or for folders (`**/`), which may be none."""

    NAME = auto()
    ALL = auto()
    FOLDERS = auto()


@dataclass(frozen=True, slots=True)
class OneOf:
    """One character of these ranges, or none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    slash: bool = False
    """Whether "/" may be one: only where nothing but a list of ranges decides."""

    def takes(self, char: str) -> bool:
        """Whether it stands for that character."""
        if char == "/" and not self.slash:
            return False
        return any(first <= char <= last for first, last in self.ranges) is not self.negated


ANY_CHARACTER: Final = OneOf((), negated=True)
Token: TypeAlias = str | Wild | OneOf
"""Part of a pattern: a character, or what stands for one or more."""
_Move: TypeAlias = Callable[[str], tuple[int, ...]]


class State:
    """Where in some patterns one may be after some text; `accepts` are the numbers of those that are at their end."""

    __slots__ = ("accepts", "places", "then")

    def __init__(self, places: frozenset[int], accepts: tuple[int, ...]) -> None:
        self.places = places
        self.accepts = accepts
        self.then: dict[str, State] = {}


class Globs:
    """Patterns, all followed at once character by character; what was found out once is remembered."""

    def __init__(self, patterns: Iterable[Sequence[Token]]) -> None:
        patterns = list(patterns)
        tails = [_tail(tokens) for tokens in patterns]
        self._tails = tuple(tails) if all(tails) else None
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
        """The numbers of the patterns that are at their end after a last name, in order."""
        if not state.places or (self._tails is not None and not name.endswith(self._tails)):
            return ()
        return self.after(name, state).accepts

    def after(self, text: str, state: State) -> State:
        """Where one is after more text."""
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
                # Entered or left out: then any text, which ends with "/".
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


def _tail(tokens: Sequence[Token]) -> str:
    """What the last name of everything that a pattern matches ends with; "" if that is not the same for all."""
    tail = ""
    for part in reversed(tokens):
        if not isinstance(part, str) or part == "/":
            break
        tail = part + tail
    return tail


def _nowhere(_char: str) -> tuple[int, ...]:
    return ()
