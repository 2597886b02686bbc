"""Problems, collected while everything is looked at, each with its line of source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from envctl.definition.tree import Spot, place
from envctl.errors import Problem, SpecError
from envctl.suggest import did_you_mean

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LONGEST_LINE = 200
MOST: Final = 500
"""Problems that are looked for: what has more has one cause, and nobody reads them."""


class Problems:
    """What was found wrong so far, and the texts of the files it was found in."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self.noted = 0
        """How often a problem was noted, those that had been told already included."""
        self.lacking: list[tuple[str, Problem]] = []
        """Files that builds need and that do not exist, each with the service."""
        self._texts: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._told: set[Spot] = set()

    def text(self, file: str, text: str) -> None:
        """Remember a file's text, to show lines of."""
        self._texts[file] = text
        self._lines.pop(file, None)

    def add(self, spot: Spot, message: str, *, expected: str = "", hint: str = "") -> None:
        """Note a problem at a spot; the same one twice (an aliased node) counts once.

        SpecError when there are so many that looking for more is of no use.
        """
        self.noted += 1
        if spot in self._told:
            return
        self._found[Problem(place(spot), message, expected, hint, self._source(spot))] = None
        if len(self._found) >= MOST:
            self.stop()

    def enough_of(self, spot: Spot) -> None:
        """Note no more problems of the value at a spot: they would follow from what has been told."""
        self._told.add(spot)

    @property
    def found(self) -> list[Problem]:
        """The problems noted so far, in the order in which they were found."""
        return list(self._found)

    def lack(self, service: str, spot: Spot, message: str, *, expected: str, hint: str) -> None:
        """Note that a service lacks a file: all others can be used without it."""
        self.noted += 1
        if spot in self._told:
            return
        problem = Problem(place(spot), message, expected, hint, self._source(spot))
        self.lacking.append((service, problem))

    def _source(self, spot: Spot) -> str:
        file, line, column = spot
        if file not in self._lines:
            self._lines[file] = LINE_BREAK.split(self._texts.get(file, ""))
        lines = self._lines[file]
        if not 0 < line <= len(lines) or column > _LONGEST_LINE:
            return ""
        text = lines[line - 1]
        if len(text) > _LONGEST_LINE:
            text = text[: _LONGEST_LINE - 1] + "…"
        return UNPRINTABLE.sub("\ufffd", text)

    def stop(self, *, without_files: bool = False) -> None:
        """Raise SpecError if anything was found; with `without_files` not if no more than files are lacking."""
        if self._found or (self.lacking and not without_files):
            every = dict.fromkeys([*self._found, *(problem for _, problem in self.lacking)])
            told = tuple(sorted(every, key=lambda item: item.where))
            raise SpecError(told[:MOST], all_told=max(len(self._found), len(told)) < MOST)


def near(word: str, known: Iterable[str]) -> str:
    """A "did you mean" of bearable length."""
    hint = did_you_mean(word, known)
    return hint if len(hint) <= 160 else hint[:159] + "…"
