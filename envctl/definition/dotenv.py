r"""The syntax of `.env` files, as Compose reads them; what Compose would guess is a mistake here.

- `NAME=value`, `NAME: value`, `export NAME=value`; `#` begins a comment in a line of its own, and after a blank.
- Without quotes a value ends with its line. In quotes it may have several lines, and `\` before the quote is that quote.
- In single quotes nothing else is special. In double quotes `\n`, `\t`, `\\`, `\$` and octal `\0NNN` are escapes.
- Outside of single quotes `$NAME`, `${NAME}` and `${NAME:-default}` (also `-`, `:+`, `+`, `:?`, `?`) are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, Position, ScalarNode, quoted, summary

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""The maximum length of all values of a file together. Variables could double it with each line."""
_MAX_DEPTH: Final = 20
_STATEMENT = re.compile(r"(?:export[ \t]+)?(?P<name>[^\s=:#'\"]+)[ \t]*[=:][ \t]*")
_QUOTED: Final = {
    quote: re.compile(rf"{quote}([^{quote}\\]*(?:\\.[^{quote}\\]*)*){quote}", re.DOTALL)
    for quote in "'\""
}
_ESCAPE = re.compile(r"\\([abfnrtv\"\\$]|0[0-3][0-7]{2})")
_ESCAPED: Final = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)) | {"$": "$$"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACE = re.compile(r"\$\{|\}")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?)([-+?])(.*))?\Z", re.DOTALL)

Lookup: TypeAlias = Callable[[str], str | None]


class _Mistake(Exception):  # noqa: N818 — control flow within this module
    """What is wrong with a value, and a hint."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse(text: str, file: str, *, known: Lookup, problems: Problems) -> MapNode:
    """Return the variables of a file, with their places. `known` are values besides those that the file has set before."""
    problems.add_source(file, text)
    reader = _Reader(text, file, known, problems)
    reader.read()
    return reader.table


class _Reader:
    """Reads statements one after the other. A mistake invalidates only its own statement."""

    def __init__(self, text: str, file: str, known: Lookup, problems: Problems) -> None:
        self.text = text.replace("\r\n", "\n")
        self.file = file
        self.known = known
        self.problems = problems
        self.table = MapNode((file, 1, 1))
        self._characters_left = MAX_CHARACTERS
        self._line, self._line_start = 1, 0

    def read(self) -> None:
        index = 0
        while index < len(self.text):
            index = self._statement(index)

    def _statement(self, start: int) -> int:
        """Read the statement of a line. Returns where the next line begins."""
        while self.text[start : start + 1] in (" ", "\t"):
            start += 1
        if self.text[start : start + 1] in ("", "\n", "#"):
            return self._next_line(start)
        position = self._position(start)
        match = _STATEMENT.match(self.text, start)
        if match is None:
            self._report_no_statement(start, position)
            return self._next_line(start)
        name_position = self._position(match.start("name"))
        value_position = self._position(match.end())
        value = ""
        try:
            value, end = self._value(match.end())
        except _Mistake as mistake:
            self.problems.add(
                value_position, f"{match['name']}: {mistake.message}", hint=mistake.hint
            )
            end = match.end()
        self._put(match["name"], ScalarNode(value, value_position), name_position)
        return self._next_line(end)

    def _next_line(self, index: int) -> int:
        """Return where the next line begins, and count the lines up to it."""
        end = self.text.find("\n", index) + 1 or len(self.text)
        self._line += self.text.count("\n", self._line_start, end)
        self._line_start = end
        return end

    def _position(self, index: int) -> Position:
        return (self.file, self._line, index - self._line_start + 1)

    def _report_no_statement(self, start: int, position: Position) -> None:
        line = self.text[start:].partition("\n")[0].strip()
        is_name = _NAME.fullmatch(line.removeprefix("export "))
        hint = "nothing is taken from the environment of the envctl process" if is_name else ""
        self.problems.add(
            position,
            f"{quoted(line)} sets no variable",
            expected="NAME=value",
            hint=hint,
        )

    def _put(self, name: str, value: ScalarNode, position: Position) -> None:
        old = self.table.get(name)
        if isinstance(old, ScalarNode):
            value.replaced = ((old.position, summary(old)), *old.replaced)
        self.table.put(name, value, position)

    # --- values

    def _value(self, start: int) -> tuple[str, int]:
        """Return a value, and where it ends."""
        quote = self.text[start : start + 1]
        if quote not in _QUOTED:
            end = self.text.find("\n", start)
            end = len(self.text) if end < 0 else end
            value = self.text[start:end].partition(" #")[0].rstrip()
            return self._expand(value), end
        match = _QUOTED[quote].match(self.text, start)
        if match is None:
            raise _Mistake(f"the closing {quote} is missing")
        trailing = self.text[match.end() :].partition("\n")[0].strip()
        if trailing and not trailing.startswith("#"):
            raise _Mistake(
                f"{quoted(trailing)} follows the closing quote", hint="quote the whole value"
            )
        value = re.sub(rf"\\({quote})", r"\1", match[1]) if quote == "'" else match[1]
        if quote == '"':
            value = self._expand(_ESCAPE.sub(_unescaped, value))
        if "\0" in value:
            raise _Mistake("a value must not contain a NUL character")
        return value, match.end()

    def _expand(self, text: str, depth: int = 0) -> str:
        """Return the text with its variables replaced."""
        if depth > _MAX_DEPTH:
            raise _Mistake(f"nested deeper than {_MAX_DEPTH} levels")
        parts: list[str] = []
        index = 0
        while (dollar := text.find("$", index)) >= 0:
            parts.append(text[index:dollar])
            value, index = self._reference(text, dollar, depth)
            self._characters_left -= len(value)
            if self._characters_left < 0:
                raise _Mistake(f"variables make the file longer than {MAX_CHARACTERS:,} characters")
            parts.append(value)
        return "".join([*parts, text[index:]])

    def _reference(self, text: str, dollar: int, depth: int) -> tuple[str, int]:
        """Return the value that a `$` stands for, and where the reference ends."""
        after = text[dollar + 1 : dollar + 2]
        if after == "{":
            end = _closing(text, dollar)
            return self._braced(text[dollar + 2 : end], depth), end + 1
        name = _NAME.match(text, dollar + 1)
        if name is not None:
            return self._require(name[0]), name.end()
        return "$", dollar + (2 if after == "$" else 1)

    def _braced(self, inner: str, depth: int) -> str:
        match = _BRACED.match(inner)
        if match is None:
            raise _Mistake(
                f"{quoted('${' + inner + '}')} is not a valid variable",
                hint="for a literal $ write $$, or use single quotes",
            )
        name, colon, operator, word = match.groups()
        if operator is None:
            return self._require(name)
        value = self._lookup(name)
        is_set = value is not None and not (colon and value == "")
        if operator == "+":
            return self._expand(word, depth + 1) if is_set else ""
        if is_set:
            return value or ""
        if operator == "?":
            raise _Mistake(f"{name} is not set: {quoted(word)}" if word else f"{name} is not set")
        return self._expand(word, depth + 1)

    def _require(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            raise _Mistake(
                f"${name} is not set: neither above, nor in the service's env, nor in vars",
                hint=f"write ${{{name}:-}} for an empty value, $${name} for a literal ${name}",
            )
        return value

    def _lookup(self, name: str) -> str | None:
        value = self.table.get(name)
        return value if isinstance(value, ScalarNode) else self.known(name)


def _closing(text: str, start: int) -> int:
    """Return the position of the brace that closes the `${` at `start`."""
    depth = 0
    for match in _BRACE.finditer(text, start):
        depth += 1 if match[0] == "${" else -1
        if depth == 0:
            return match.start()
    raise _Mistake("the } of a ${ is missing", hint="for a literal $ write $$")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code, 8)) if code[0] == "0" else _ESCAPED.get(code, code)
