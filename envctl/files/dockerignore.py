"""`.dockerignore` files, with the meaning that `docker build` gives them.

The rules are those of github.com/moby/patternmatcher and github.com/tonistiigi/fsutil, which `docker build` uses. The
Docker SDK has another matcher, which sends files although their grandparent is excluded.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from envctl.files.globs import ANY_CHARACTER, Globs, OneOf, State, Token, Wild
from envctl.lazy_dataclass import dataclass

_MOST_PATTERNS: Final = 10_000


class PatternError(ValueError):
    """A line is not a valid pattern."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column
        self.reason = reason


class IgnoreDecision(NamedTuple):
    """The decision about one path: whether it is ignored, whether to enter it because something inside may not be, and the state inside."""

    ignored: bool
    enter: bool
    below: Below


class Below(NamedTuple):
    """The state in a folder: which patterns match it or one of its parents, and how far each has matched."""

    prefix: str
    matched: tuple[bool, ...]
    states: tuple[State | None, ...]


_INCLUDED: Final = IgnoreDecision(ignored=False, enter=False, below=Below("", (), ()))


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line. `kind` is how it is compared: exactly, as a prefix, as a suffix, or as a glob."""

    text: str
    negated: bool
    kind: str
    part: str = ""
    glob: Globs | None = None

    def matches(self, path: str, below: State | None, name: str) -> bool:
        match self.kind:
            case "exact":
                return path == self.text
            case "beginning":
                return path.startswith(self.part)
            case "end":
                return path.endswith(self.part) or path == self.part.removeprefix("/")
            case _:
                assert self.glob is not None
                assert below is not None
                return bool(self.glob.ending(name, below))


class DockerIgnore:
    """The patterns of an ignore file, in order: the last one that matches decides."""

    def __init__(self, text: str) -> None:
        self._patterns = tuple(_patterns(text))
        self._exceptions = [pattern for pattern in self._patterns if pattern.negated]
        self._plain = all(_is_plain(_without_stars(pattern.text)) for pattern in self._exceptions)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def top(self, folder: str = "") -> Below:
        """Return the state at the start of a walk, in a folder of the context, as if no pattern matched that folder itself."""
        prefix = f"{folder}/" if folder not in {"", "."} else ""
        states = tuple(
            pattern.glob.after(prefix, pattern.glob.start) if pattern.glob else None
            for pattern in self._patterns
        )
        return Below(prefix, tuple(False for _ in self._patterns), states)

    def decide(self, above: Below, name: str, *, is_folder: bool) -> IgnoreDecision:
        """Decide about a name in a folder. As in Docker, a pattern that cannot change the result is not tried."""
        if not self._patterns:
            return (
                IgnoreDecision(ignored=False, enter=True, below=above) if is_folder else _INCLUDED
            )
        path = above.prefix + name
        ignored, matched = False, []
        for pattern, inherited, state in zip(
            self._patterns, above.matched, above.states, strict=True
        ):
            match = inherited
            if not match and pattern.negated == ignored:
                match = pattern.matches(path, state, name)
            matched.append(match)
            if match:
                ignored = not pattern.negated
        if not is_folder:
            return IgnoreDecision(ignored, enter=False, below=above)
        enter = not ignored or self._may_be_kept(path)
        return IgnoreDecision(ignored, enter, self._below(above, name, matched) if enter else above)

    def _below(self, above: Below, name: str, matched: Sequence[bool]) -> Below:
        prefix = f"{above.prefix}{name}/"
        states = tuple(
            pattern.glob.after(f"{name}/", state) if pattern.glob and state else None
            for pattern, state in zip(self._patterns, above.states, strict=True)
        )
        return Below(prefix, tuple(matched), states)

    def _may_be_kept(self, folder: str) -> bool:
        """Whether an exception may match something in an ignored folder."""
        if not self._plain:
            return True
        return any(
            f"{_without_stars(pattern.text)}/".startswith(f"{folder}/")
            for pattern in self._exceptions
        )


def _without_stars(text: str) -> str:
    """Return a pattern without `/**` or `/*` at its end."""
    for tail in ("/**", "/*"):
        if text.endswith(tail):
            return text.removesuffix(tail)
    return text


def _is_plain(text: str) -> bool:
    return not any(char in "*[]?^\\" for char in text)


# --- reading --------------------------------------------------------------------------------


def _patterns(text: str) -> Iterator[_Pattern]:
    lines = text.removeprefix("\ufeff").split("\n")
    if len(lines) > _MOST_PATTERNS:
        raise PatternError(_MOST_PATTERNS + 1, 1, f"more than {_MOST_PATTERNS:,} lines")
    for number, raw in enumerate(lines, start=1):
        line = raw.removesuffix("\r")
        if line.startswith("#") or not line.strip():
            continue
        word = line.strip()
        negated = word.startswith("!")
        if negated:
            word = word[1:].strip()
        column = len(line) - len(line.lstrip()) + 1
        if not word:
            raise PatternError(number, column, "an exception needs a pattern after `!`")
        word = posixpath.normpath(word).removeprefix("/")
        word = word.removeprefix("/") or "/"
        try:
            yield _compiled(word, negated=negated)
        except ValueError as error:
            raise PatternError(number, column, str(error)) from error


def _compiled(text: str, *, negated: bool) -> _Pattern:
    """Return a pattern with the comparison that moby uses for it: some patterns with wildcards are compared as text."""
    tokens = list(_tokens(text))
    wild = [token for token in tokens if not isinstance(token, str)]
    if not wild:
        return _Pattern(text, negated, "exact")
    if text.startswith("**") and wild in ([Wild.FOLDERS], [Wild.ALL]):
        return _Pattern(text, negated, "end", part=text[2:])
    if text.endswith("**") and wild == [Wild.ALL]:
        return _Pattern(text, negated, "beginning", part=text[:-2])
    if "^" in tokens:
        raise ValueError("write \\^ for the character ^")
    return _Pattern(text, negated, "glob", glob=Globs([tokens]))


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        char = text[place]
        place += 1
        if char == "*" and text[place : place + 1] == "*":
            place += 1
            if text[place : place + 1] == "/":
                place += 1
            yield Wild.FOLDERS if place < len(text) else Wild.ALL
        elif char == "*":
            yield Wild.NAME
        elif char == "?":
            yield ANY_CHARACTER
        elif char == "[":
            one_of, place = _one_of(text, place)
            yield one_of
        elif char == "\\":
            literal = _escaped(text, place)
            yield OneOf(((literal, literal),), slash=True)
            place += 1
        else:
            yield char


def _escaped(text: str, place: int) -> str:
    if place >= len(text):
        raise ValueError("a \\ at the end of a pattern escapes nothing")
    if text[place].isalnum():
        raise ValueError(f"\\{text[place]} means nothing in a pattern: folders are parted by /")
    return text[place]


def _one_of(text: str, place: int) -> tuple[OneOf, int]:
    """Return the list of characters, such as [a-z], that begins at `place`, and the position after it."""
    negated = text[place : place + 1] == "^"
    place += negated
    ranges: list[tuple[str, str]] = []
    while text[place : place + 1] != "]" or not ranges:
        first, place = _in_list(text, place)
        last = first
        if text[place : place + 1] == "-":
            last, place = _in_list(text, place + 1)
        if last < first:
            raise ValueError(f"the range {first}-{last} is empty")
        ranges.append((first, last))
    return OneOf(tuple(ranges), negated, slash=True), place + 1


def _in_list(text: str, place: int) -> tuple[str, int]:
    char = text[place : place + 1]
    if char == "\\":
        return _escaped(text, place + 1), place + 2
    if not char or char in "]-":
        raise ValueError("a list of characters is not closed: write [abc], [a-z], or \\[ for a [")
    if char in "*?[":
        raise ValueError(f"write \\{char} for the character {char}")
    return char, place + 1
