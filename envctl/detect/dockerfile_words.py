"""The words of an instruction of a Dockerfile: quotes, lists, and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]")
_OPERATOR: Final = re.compile(r":?[-+?]")
_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")
"""Characters that neither a command nor a file in UTF-8 can have."""
_MAX_TEXT: Final = 256 * 1024
_MAX_DEPTH: Final = 20


class WordError(ValueError):
    """A text that cannot be split, or whose variables cannot be replaced, and why."""


def raw_words(text: str, escape: str = "\\") -> list[str]:
    """The words as they are written, with quotes and variables."""
    words: list[str] = []
    current: list[str] = []
    for piece, quote in _pieces(text, escape):
        if not quote and piece.isspace():
            if current:
                words.append("".join(current))
                current = []
        else:
            current.append(piece)
    return [*words, "".join(current)] if current else words


def _pieces(text: str, escape: str) -> Iterator[tuple[str, str]]:
    """Each character, or escaped pair of them, and the quote that it is in."""
    quote = ""
    index = 0
    while index < len(text):
        char = text[index]
        if char == escape and quote != "'" and index + 1 < len(text):
            yield text[index : index + 2], quote or escape
            index += 2
            continue
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
            yield char, char
        else:
            yield char, quote
        index += 1


def exec_form(text: str) -> list[str] | None:
    """The words of a list in JSON; None if the text is not one, which makes it a text for the shell."""
    if not text.startswith("["):
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(value, list) and all(
        isinstance(item, str) and not _UNWRITABLE.search(item) for item in value
    )
    return value if is_list else None


def key_values(text: str, escape: str) -> list[tuple[str, str | None]]:
    """The pairs of ENV, ARG and LABEL, as they are written. `ENV NAME some text` is one pair."""
    words = raw_words(text, escape)
    if words and "=" not in words[0] and len(words) > 1:
        return [(words[0], text.split(None, 1)[1].strip())]
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        pairs.append((name, value if equals else None))
    return pairs


def expand(
    text: str, values: Mapping[str, str], escape: str = "\\", *, is_strict: bool = False
) -> str:
    """A text with its variables replaced and its quotes removed. WordError if a `strict` one uses an unknown variable."""
    result = _Expansion(values, escape, is_strict).expand(text, 0)
    if len(result) > _MAX_TEXT:
        raise WordError("variables expand to more than 256 KiB")
    return result


class _Expansion:
    def __init__(self, values: Mapping[str, str], escape: str, is_strict: bool) -> None:
        self.values = values
        self.escape = escape
        self.is_strict = is_strict
        self.size = 0

    def expand(self, text: str, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise WordError("variables are nested too deeply")
        parts: list[str] = []
        quote = ""
        index = 0
        while index < len(text):
            char = text[index]
            if char in "'\"" and quote in ("", char):
                quote = "" if quote else char
                index += 1
            elif char == self.escape and quote != "'" and index + 1 < len(text):
                is_kept = quote == '"' and text[index + 1] not in f'"${self.escape}'
                parts.append(text[index if is_kept else index + 1 : index + 2])
                index += 2
            elif char == "$" and quote != "'":
                value, index = self._variable(text, index + 1, depth)
                self._count(value)
                parts.append(value)
            else:
                parts.append(char)
                index += 1
        return "".join(parts)

    def _count(self, value: str) -> None:
        self.size += len(value)
        if self.size > _MAX_TEXT:
            raise WordError("variables expand to more than 256 KiB")

    def _variable(self, text: str, index: int, depth: int) -> tuple[str, int]:
        """The value of the variable whose name begins here, and where the text goes on."""
        if text[index : index + 1] != "{":
            match = _NAME.match(text, index)
            return (self._value(match[0]), match.end()) if match else ("$", index)
        match = _NAME.match(text, index + 1)
        end = _closing(text, index)
        if match is None or end < 0:
            raise WordError(f"{text[index - 1 : index + 20]!r} is not a variable")
        suffix = text[match.end() : end]
        if not suffix:
            return self._value(match[0]), end + 1
        operator = _OPERATOR.match(suffix)
        if operator is None:
            raise WordError(f"the operator in {text[index - 1 : end + 1][:60]!r} is not supported")
        word = suffix[operator.end() :]
        return self._operated(match[0], operator[0], word, depth), end + 1

    def _operated(self, name: str, operator: str, word: str, depth: int) -> str:
        value = self.values.get(name)
        is_set = value is not None and (value != "" or ":" not in operator)
        if operator[-1] == "-":
            return value if is_set and value is not None else self.expand(word, depth + 1)
        if operator[-1] == "+":
            return self.expand(word, depth + 1) if is_set else ""
        if not is_set:
            raise WordError(f"the variable {name} is needed: {word[:60]}")
        return value or ""

    def _value(self, name: str) -> str:
        if self.is_strict and name not in self.values:
            raise WordError(f"the value of ${name} is not known")
        return self.values.get(name, "")


def _closing(text: str, index: int) -> int:
    """Where the brace that opens at `index` closes; -1 if it does not."""
    depth = 0
    for place in range(index, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place
    return -1
