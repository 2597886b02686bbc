"""Reads a Dockerfile as Docker does: parser directives, comments, continued lines, here-documents. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from envctl.detect.dockerfile_words import raw_words
from envctl.lazy_dataclass import dataclass

INSTRUCTIONS: Final = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_DIRECTIVE: Final = re.compile(
    r"[ \t]*#[ \t]*(syntax|escape|check)[ \t]*=[ \t]*(.*?)[ \t]*", re.IGNORECASE
)
_HEREDOC: Final = re.compile(r"\d*<<(-?)(?:'([^'<>]+)'|\"([^\"<>]+)\"|([\w.]+))")
_FLAG: Final = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|\Z)")
_WITH_HEREDOCS: Final = ("ADD", "COPY", "RUN")
_WITH_FLAGS: Final = ("ADD", "COPY", "RUN", "FROM", "HEALTHCHECK")


class DockerfileError(Exception):
    """A line that Docker would not accept either."""

    def __init__(self, line: int, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.expected = expected
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its word, and the text. A quoted word means that no variable is expanded."""

    word: str
    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction, on one line: what continued it is joined."""

    line: int
    name: str
    flags: tuple[tuple[str, str], ...]
    text: str
    """The arguments after the flags."""
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDockerfile:
    """The instructions of a Dockerfile, and its parser directives with their lines."""

    instructions: tuple[Instruction, ...]
    directives: tuple[tuple[int, str, str], ...]
    escape: str


def parse_dockerfile(text: str) -> ParsedDockerfile:
    """The instructions. DockerfileError at the first line that is none."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if "\0" in text:
        number = next(number for number, line in enumerate(lines, 1) if "\0" in line)
        raise DockerfileError(number, "the line contains a NUL character", expected="a text")
    directives = tuple(_directives(lines))
    escape = next((value for _, name, value in directives if name == "escape"), "\\")
    if escape not in ("\\", "`"):
        raise DockerfileError(
            1, f"the escape character {escape[:20]!r} is not supported", expected="\\ or `"
        )
    return ParsedDockerfile(tuple(_Reader(lines, escape).instructions()), directives, escape)


def _directives(lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    seen = set()
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line)
        if match is None or match[1].lower() in seen:
            return
        seen.add(match[1].lower())
        yield number, match[1].lower(), match[2]


class _Reader:
    def __init__(self, lines: Sequence[str], escape: str) -> None:
        self.lines = lines
        self.escape = escape
        self.next = 0

    def instructions(self) -> Iterator[Instruction]:
        """Each instruction, with its here-documents."""
        while self.next < len(self.lines):
            number = self.next + 1
            text = self._logical_line()
            if text.strip():
                yield self._instruction(number, text.strip())

    def _logical_line(self) -> str:
        """The next line with those that continue it; comments and empty lines in between do not count."""
        parts: list[str] = []
        is_continued = True
        while is_continued and self.next < len(self.lines):
            line = self.lines[self.next]
            self.next += 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                if not parts:
                    return ""
                continue
            body = line.rstrip(" \t")
            is_continued = body.endswith(self.escape) and not body.endswith(self.escape * 2)
            parts.append(body[:-1] if is_continued else line)
        return "".join(parts)

    def _instruction(self, number: int, line: str) -> Instruction:
        name, *arguments = line.split(None, 1)
        word = name.upper()
        if word not in INSTRUCTIONS:
            raise DockerfileError(
                number,
                f"{name[:40]!r} is not an instruction of a Dockerfile",
                expected="FROM, RUN, COPY, …",
            )
        text = arguments[0] if arguments else ""
        if not text:
            raise DockerfileError(number, f"{word} has no arguments")
        heredocs = tuple(self._heredocs(number, word, text))
        flags, text = _flags(text) if word in _WITH_FLAGS else ((), text)
        return Instruction(number, word, flags, text, heredocs)

    def _heredocs(self, number: int, name: str, text: str) -> Iterator[Heredoc]:
        if name == "ONBUILD":
            name = text.split(None, 1)[0].upper()
        if name not in _WITH_HEREDOCS or "<<" not in text:
            return
        for word in raw_words(text, self.escape):
            if match := _HEREDOC.fullmatch(word):
                end = match[2] or match[3] or match[4]
                body = self._until(number, end, strip_tabs=bool(match[1]))
                yield Heredoc(end, body, is_quoted=not match[4])

    def _until(self, number: int, end: str, *, strip_tabs: bool) -> str:
        body: list[str] = []
        while self.next < len(self.lines):
            line = self.lines[self.next]
            self.next += 1
            line = line.lstrip("\t") if strip_tabs else line
            if line == end:
                return "".join(f"{each}\n" for each in body)
            body.append(line)
        raise DockerfileError(
            number, f"the here-document {end[:40]} does not end", expected=f"a line {end[:40]}"
        )


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while match := _FLAG.match(text):
        flags.append((match[1], match[2] or ""))
        text = text[match.end() :]
    return tuple(flags), text
