"""Explains syntax errors of YAML in plain words, at the position that has to be changed.

libyaml notices most mistakes late (an unclosed quote at the end of the file) and describes them in terms of its
grammar ("did not find expected key"). So the cause is searched for in the text around the reported position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from envctl.definition.problems import LINE_BREAK
from envctl.lazy_dataclass import dataclass

_NEARBY: Final = 100
"""Characters around an error that are searched for its cause."""
_BEFORE: Final = 200
"""Lines before an error that are searched for its cause."""
_VARIABLE_WORD: Final = re.compile(r"""[^\s,\[\]{}"']*(\$\{\w*\})(?:\$\{\w*\}|[^\s,\[\]{}"'])*""")
_KEY: Final = re.compile(
    r"""(?:- +)*(?P<key>[^\s:#'"\[{][^:#]{0,100}?)[ \t]*:(?P<rest>[ \t]+.*)?\Z"""
)
_NO_SPACE: Final = re.compile(r"""(?:- +)*(?P<key>[A-Za-z_][\w.-]{0,60}):(?P<value>\S.*)\Z""")
_CLOSED: Final = {"[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class SyntaxMistake:
    """A mistake of syntax; line and column count from 1."""

    line: int
    column: int
    message: str
    expected: str = ""
    hint: str = ""


def explain(text: str, error: yaml.MarkedYAMLError) -> SyntaxMistake:
    """Return the mistake behind a parser's error, at the position that has to be changed."""
    return _Search(LINE_BREAK.split(text), error).explain()


class _Search:
    """Searches the text around a parser's error for its cause."""

    def __init__(self, lines: list[str], error: yaml.MarkedYAMLError) -> None:
        self.lines = lines
        mark: Any = error.problem_mark or error.context_mark
        self.line: int = mark.line if mark else 0
        self.column: int = mark.column if mark else 0
        self.start: Any = error.context_mark
        self.problem = " ".join((error.problem or "").split())
        self.context = " ".join((error.context or "").split())

    def explain(self) -> SyntaxMistake:
        """Return the mistake."""
        for number, line in enumerate(self.lines[: self.line + 1]):
            if line.startswith("<<<<<<< "):
                hint = "keep one of the two sides, and remove the lines with <, = and >"
                return SyntaxMistake(number + 1, 1, "an unresolved merge conflict", hint=hint)
        if "quoted scalar" in self.context and self.start:
            return self._unclosed_quote()
        if "flow" in self.context and self.start:
            return self._in_brackets()
        if "mapping values are not allowed" in self.problem:
            return self._colon()
        if "simple key" in self.context and self.start:
            return self._no_key(self.start.line)
        if "alias" in self.context or "anchor" in self.context:
            char = self._text(self.start.line)[self.start.column : self.start.column + 1]
            return self._here(
                f"a value that begins with {char!r} has a special meaning in YAML",
                hint=f"quote a value that begins with {char!r}",
            )
        if "did not find expected key" in self.problem or "block" in self.context:
            return self._indented()
        if "cannot start any token" in self.problem:
            return self._character()
        context = f" ({self.context})" if self.context else ""
        return self._here(f"not valid YAML: {self.problem or 'it cannot be read'}{context}")

    # --- quotes and brackets

    def _unclosed_quote(self) -> SyntaxMistake:
        line, column = self.start.line, self.start.column
        if "escape" in self.problem:
            return self._here(
                f"not valid YAML: {self.problem}",
                hint="write a backslash twice within double quotes, or use single quotes",
            )
        quote = self._text(line)[column : column + 1] or "quote"
        return SyntaxMistake(
            line + 1,
            column + 1,
            f"this quote is never closed: {quote}",
            hint=f"put {quote} where the text ends, or remove this one",
        )

    def _in_brackets(self) -> SyntaxMistake:
        word = _unquoted_variable(self._text(self.line), self.column)
        if word:
            return self._here("a { in an unquoted value", hint=f'quote it: "{word}"')
        if "node" in self.context:
            return self._no_value()
        line, column = self.start.line, self.start.column
        opened = "[" if "sequence" in self.context else "{"
        if line == self.line:
            return self._here(
                f"expected ',' or '{_CLOSED[opened]}' here",
                hint=f"the '{opened}' is in column {column + 1}; quote text that contains one of []{{}},",
            )
        return _unclosed(line, column, opened)

    def _no_value(self) -> SyntaxMistake:
        """Explain text in brackets that cannot be a value: a value or the closing bracket is missing."""
        char = self._text(self.line)[self.column : self.column + 1]
        if char in (",", "]", "}"):
            return self._here(f"a value is missing before '{char}'")
        before = (self.line, self._text(self.line)[: self.column])
        for number, text in (before, *self._above()):
            for opened, closed in _CLOSED.items():
                if text.count(opened) > text.count(closed):
                    return _unclosed(number, text.rindex(opened), opened)
        return self._here("a value is expected here")

    # --- block style

    def _colon(self) -> SyntaxMistake:
        """Explain a colon where none is allowed: because of this line, or because the line above is not a key."""
        text = self._text(self.line)
        number, body = next((line for line in self._above() if _code(line[1])), (-1, ""))
        if re.search(r":\s", text[: self.column]) or number < 0:
            return self._here(
                "a second ': ' within one value", hint="quote a value that contains ': '"
            )
        stripped = _code(body)
        if ":" not in stripped or _NO_SPACE.match(stripped):
            return self._no_key(number)
        key = _KEY.match(stripped)
        name = key["key"] if key else stripped[:60]
        return SyntaxMistake(
            self.line + 1,
            _indent(text) + 1,
            f"this line is indented deeper than line {number + 1}, where {name!r} has a value already",
            expected=f"{_indent(body)} spaces before it, as in line {number + 1}",
        )

    def _no_key(self, number: int) -> SyntaxMistake:
        """Explain a line that should be a key but is not."""
        text = self._text(number)
        code, indent = _code(text), _indent(text)
        if squeezed := _NO_SPACE.match(code):
            return SyntaxMistake(
                number + 1,
                indent + squeezed.end("key") + 2,
                "a space is missing after the ':'",
                hint=f"write {squeezed['key']}: {squeezed['value'][:60]}",
            )
        if item := re.match(r"-(?=[^\s-])", code):
            hint = f"write - {code[item.end() :][:60]}"
            return SyntaxMistake(
                number + 1, indent + 1, "a space is missing after the '-'", hint=hint
            )
        key, space, value = code[:80].partition(" ")
        return SyntaxMistake(
            number + 1,
            indent + len(key) + 1,
            f"a ':' is missing after {key!r}",
            hint=f"write {key}:{space}{value}",
        )

    def _indented(self) -> SyntaxMistake:
        """Explain a line whose indentation matches no line above it."""
        if spread := self._spread_quote():
            return spread
        text = self._text(self.line)
        indent = _indent(text)
        if self.column > indent:
            return self._here(
                "unexpected text after the value",
                hint="quote a text that begins with a quote, *, & or !, or move the rest to its own line",
            )
        if text[indent : indent + 1] == ":":
            return self._here("a key is missing before the ':'", expected="a name")
        known = self._columns()
        nearest = sorted(known, key=lambda spaces: (abs(spaces - indent), -spaces))
        columns = [f"{spaces} spaces before it, as in line {known[spaces]}" for spaces in nearest]
        item = text[indent : indent + 2] == "- "
        if item and (line := self._list_above(indent)):
            message = "this item does not continue the list above"
            at = _indent(self._text(line - 1))
            if at == indent:
                return self._here(message, hint=f"move it directly after that list, in line {line}")
            return self._here(message, expected=f"{at} spaces before it, as in line {line}")
        if indent in known:
            message = f"this line does not continue what is above it, from line {known[indent]} on"
            return self._here(
                message, hint="a list's items begin with '- ', a mapping's keys do not"
            )
        return self._here(
            f"this line is indented by {indent} spaces, unlike every line that it could belong to",
            expected=", or ".join(columns[:3]),
        )

    def _list_above(self, indent: int) -> int:
        """Return the number of the last line above that has a list item, indented as this line or deeper; 0 for none."""
        for number, text in self._above():
            if text.lstrip(" ").startswith("- ") and _indent(text) >= indent:
                return number + 1
        return 0

    def _columns(self) -> dict[int, int]:
        """Return the indentations of the collections that are open before the line, each with its last line."""
        known: dict[int, int] = {}
        for number, text in self._above():
            indent = _indent(text)
            if _code(text) and (not known or indent < min(known)):
                known[indent] = number + 1
        return known

    def _spread_quote(self) -> SyntaxMistake | None:
        """Explain a quote that was not closed on its line, and so ends where another one should begin."""
        before = self._text(self.line)[: self.column].rstrip()
        if not before.endswith(("'", '"')):
            return None
        quote = before[-1]
        for number, text in self._above():
            if text.count(quote) % 2:
                return SyntaxMistake(
                    number + 1,
                    text.rindex(quote) + 1,
                    f"this quote is not closed on its line: {quote}",
                    hint=f"put {quote} where the text ends, or remove this one",
                )
        return None

    def _character(self) -> SyntaxMistake:
        char = self._text(self.line)[self.column : self.column + 1]
        if char == "\t":
            return self._here("a tab", hint="indent with spaces; YAML allows no tabs there")
        return self._here(
            f"no value can begin with {char!r}", hint=f"quote a value that begins with {char!r}"
        )

    # --- the text

    def _here(self, message: str, *, expected: str = "", hint: str = "") -> SyntaxMistake:
        return SyntaxMistake(self.line + 1, self.column + 1, message, expected, hint)

    def _text(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def _above(self) -> Iterator[tuple[int, str]]:
        """Yield the lines above, upwards from the nearest: number and text."""
        for number in range(self.line - 1, max(-1, self.line - _BEFORE), -1):
            yield number, self._text(number)


def _unclosed(line: int, column: int, opened: str) -> SyntaxMistake:
    kind = "list" if opened == "[" else "mapping"
    return SyntaxMistake(
        line + 1,
        column + 1,
        f"this '{opened}' is never closed",
        hint=f"put '{_CLOSED[opened]}' where the {kind} ends",
    )


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _code(text: str) -> str:
    """Return a line without its indentation and its comment."""
    return re.sub(r"(^|\s+)#.*", "", text[:1000]).strip()


def _unquoted_variable(line: str, column: int) -> str:
    """Return the word with a variable, `${port}:80`, whose brace is what stands at the column; or ""."""
    start = max(0, column - _NEARBY)
    words = _VARIABLE_WORD.finditer(line[start : column + _NEARBY])
    return next((word[0] for word in words if start + word.start(1) == column - 1), "")
