"""Problems, collected so that all mistakes are reported at once, each with its line of source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from envctl.definition.tree import Position, as_place
from envctl.errors import Problem, SpecError
from envctl.suggest import did_you_mean, nearest

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LONGEST_LINE = 200
MAX_PROBLEMS: Final = 500
"""Reading stops after this many: so many problems usually have one cause."""


class Problems:
    """The problems found so far, and the texts of the files they are in."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self.count = 0
        """How often a problem was reported, repeated and suppressed ones included."""
        self.missing_files: list[tuple[str, Problem]] = []
        """Files that builds need and that do not exist, each with its service."""
        self._texts: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._suppressed: set[Position] = set()

    def add_source(self, file: str, text: str) -> None:
        """Remember a file's text, to show lines of it."""
        self._texts[file] = text
        self._lines.pop(file, None)

    def add(self, position: Position, message: str, *, expected: str = "", hint: str = "") -> None:
        """Report a problem. The same one twice (an aliased node) counts once.

        Raises SpecError when the number of problems reaches the limit.
        """
        self.count += 1
        if position in self._suppressed:
            return
        self._problems[self._problem(position, message, expected, hint)] = None
        if len(self._problems) >= MAX_PROBLEMS:
            self.stop()

    def suppress(self, position: Position) -> None:
        """Report nothing more about the value at a position, since it would only be a consequence."""
        self._suppressed.add(position)

    @property
    def entries(self) -> list[Problem]:
        """The problems reported so far, in the order in which they were found."""
        return list(self._problems)

    def add_missing_file(
        self, service: str, position: Position, message: str, *, expected: str, hint: str
    ) -> None:
        """Report that a service lacks a file; all other services can be used without it."""
        self.count += 1
        if position not in self._suppressed:
            problem = self._problem(position, message, expected, hint)
            self.missing_files.append((service, problem))

    def _problem(self, position: Position, message: str, expected: str, hint: str) -> Problem:
        return Problem(as_place(position), message, expected, hint, self._source(position))

    def _source(self, position: Position) -> str:
        file, line, column = position
        if file not in self._lines:
            self._lines[file] = LINE_BREAK.split(self._texts.get(file, ""))
        lines = self._lines[file]
        if not 0 < line <= len(lines) or column > _LONGEST_LINE:
            return ""
        text = lines[line - 1]
        if len(text) > _LONGEST_LINE:
            text = text[: _LONGEST_LINE - 1] + "…"
        return UNPRINTABLE.sub("\ufffd", text)

    def stop(self, *, allow_missing_files: bool = False) -> None:
        """Raise SpecError if there are problems; with `allow_missing_files`, others than missing files."""
        if self._problems or (self.missing_files and not allow_missing_files):
            every = dict.fromkeys(
                [*self._problems, *(problem for _, problem in self.missing_files)]
            )
            problems = tuple(sorted(every, key=lambda problem: problem.where))
            is_complete = max(len(self._problems), len(problems)) < MAX_PROBLEMS
            raise SpecError(problems[:MAX_PROBLEMS], all_told=is_complete)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant, or else all known names, shortened if there are many."""
    hint = did_you_mean(word, known)
    return hint if len(hint) <= 160 else hint[:159] + "…"


def similar(word: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant; "" if none is similar."""
    name = nearest(word, known)
    return f"did you mean {name!r}?" if name else ""
