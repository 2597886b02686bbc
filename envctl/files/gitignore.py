"""Patterns with the meaning of `.gitignore`: for `exclude` of a copy, and for the files that git ignores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from envctl.files.globs import ANY_CHARACTER, Globs, OneOf, State, Token, Wild
from envctl.lazy_dataclass import dataclass

_CLASSES: Final = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "digit": (("0", "9"),),
    "lower": (("a", "z"),),
    "upper": (("A", "Z"),),
    "space": (("\t", "\r"), (" ", " ")),
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "graph": (("!", "~"),),
    "print": ((" ", "~"),),
}


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str
    negated: bool
    folders_only: bool
    anchored: bool
    """Whether it matches the path relative to its folder, not only a name."""
    tokens: tuple[Token, ...]


class GitIgnore:
    """Patterns in order: the last one that matches decides. `patterns` has no lines that never match."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.patterns = tuple(pattern for line in lines if (pattern := _pattern(line)))
        self._by_name = [n for n, pattern in enumerate(self.patterns) if not pattern.anchored]
        self._by_path = [n for n, pattern in enumerate(self.patterns) if pattern.anchored]
        self._names = Globs(self.patterns[n].tokens for n in self._by_name)
        self._paths = Globs(self.patterns[n].tokens for n in self._by_path)
        self.top = self._paths.start
        """The state in the folder that the patterns are for."""

    def matching(self, state: State, name: str, *, is_folder: bool) -> list[int]:
        """Return the numbers, in order, of the patterns that match a name in the folder of `state`."""
        by_name = self._names.ending(name, self._names.start)
        by_path = self._paths.ending(name, state) if state.places else ()
        if not by_name and not by_path:
            return []
        matches = [self._by_name[index] for index in by_name] + [
            self._by_path[index] for index in by_path
        ]
        return [
            number
            for number in sorted(matches)
            if is_folder or not self.patterns[number].folders_only
        ]

    def ignored(self, state: State, name: str, *, is_folder: bool) -> bool | None:
        """Whether the name is ignored; None if no pattern matches."""
        matches = self.matching(state, name, is_folder=is_folder)
        return not self.patterns[matches[-1]].negated if matches else None

    def below(self, state: State, name: str) -> State:
        """Return the state in a subfolder."""
        return self._paths.after(f"{name}/", state)


def _pattern(line: str) -> _Pattern | None:
    text = _trimmed(line.removesuffix("\n").removesuffix("\r"))
    if not text or text.startswith("#"):
        return None
    word = text.removeprefix("!")
    folders_only = word.endswith("/")
    inner = word.removesuffix("/")
    anchored = "/" in inner
    inner = inner.removeprefix("/")
    if not inner:
        return None
    try:
        tokens = tuple(_tokens(inner, anchored=anchored))
    except ValueError:
        return None  # git, too, treats an invalid pattern as one that matches nothing
    return _Pattern(text, word != text, folders_only, anchored, tokens)


def _trimmed(line: str) -> str:
    """Return a line without trailing spaces, except escaped ones."""
    end = len(line)
    while end and line[end - 1] == " ":
        escapes = len(line[: end - 1]) - len(line[: end - 1].rstrip("\\"))
        if escapes % 2:
            break
        end -= 1
    return line[:end]


def _tokens(word: str, *, anchored: bool) -> Iterator[Token]:
    place = 0
    while place < len(word):
        char = word[place]
        if char == "*":
            stars = len(word[place:]) - len(word[place:].lstrip("*"))
            after = place + stars
            begins = place == 0 or word[place - 1] == "/"
            if anchored and stars >= 2 and begins and word[after : after + 1] == "/":
                yield Wild.FOLDERS
                place = after + 1
            elif anchored and stars >= 2 and begins and after == len(word):
                # Everything in a folder, but not the folder itself.
                yield OneOf((), negated=True, slash=True)
                yield Wild.ALL
                place = after
            else:
                yield Wild.NAME
                place = after
            continue
        place += 1
        if char == "?":
            yield ANY_CHARACTER
        elif char == "[":
            one_of, place = _one_of(word, place)
            yield one_of
        elif char == "\\":
            if place >= len(word):
                raise ValueError("nothing is escaped")
            yield word[place]
            place += 1
        else:
            yield char


def _one_of(word: str, place: int) -> tuple[OneOf, int]:
    negated = word[place : place + 1] in ("!", "^")
    place += negated
    ranges: list[tuple[str, str]] = []
    first = True
    while first or word[place : place + 1] != "]":
        first = False
        if word.startswith("[:", place) and (end := word.find(":]", place)) > 0:
            if (name := word[place + 2 : end]) not in _CLASSES:
                raise ValueError("no such class of characters")
            ranges += _CLASSES[name]
            place = end + 2
            continue
        low, place = _in_list(word, place)
        high = low
        if word[place : place + 1] == "-" and word[place + 1 : place + 2] not in {"", "]"}:
            high, place = _in_list(word, place + 1)
        # If a range ends before it begins, git uses its beginning.
        ranges.append((low, max(low, high)))
    return OneOf(tuple(ranges), negated), place + 1


def _in_list(word: str, place: int) -> tuple[str, int]:
    if word[place : place + 1] == "\\":
        place += 1
    if place >= len(word):
        raise ValueError("a list of characters is not closed")
    return word[place], place + 1
