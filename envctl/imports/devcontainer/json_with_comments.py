"""JSON with comments and trailing commas to a tree that knows positions.

Comments become blanks, so that the project's own YAML reader, with its limits, sees the same positions.
"""

from __future__ import annotations

import re
from typing import Final

from envctl.definition.problems import LINE_BREAK, Problems
from envctl.definition.tree import MapNode, Position, quoted
from envctl.definition.yaml_reader import parse

_TOKEN: Final = re.compile(
    r'(?P<text>"(?:[^"\\\n\r]|\\.)*")'
    r"|(?P<comment>//[^\n\r]*|/\*.*?\*/)"
    r"|(?P<blank>[ \t\r\n]+)"
    r"|[{}\[\],:]"
    r"|(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])",
    re.DOTALL,
)
_PAIR: Final = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_NOT_BREAK: Final = re.compile(r"[^\r\n]")
_EXPECTED: Final = "JSON: texts in double quotes, numbers, true, false, null, { } and [ ]"


def read_json(data: bytes, file: str, problems: Problems) -> MapNode | None:
    """The top mapping of a file. None if it cannot be read, which is reported."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return parse(data, file, problems)
    blanked = _blanked(text, file, problems)
    return None if blanked is None else parse(blanked.encode("utf-8"), file, problems)


def _blanked(text: str, file: str, problems: Problems) -> str | None:
    """The text without comments and tabs. None if it has something that JSON does not have, which is reported."""
    parts: list[str] = []
    index = 0
    while index < len(text):
        token = _TOKEN.match(text, index)
        if token is None:
            problems.add_source(file, text)
            problems.add(*_mistake(text, index, file), expected=_EXPECTED)
            return None
        parts.append(_blanked_token(token))
        index = token.end()
    return "".join(parts)


def _blanked_token(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "text":
            return _PAIR.sub(_character, token[0])
        case "comment":
            return _NOT_BREAK.sub(" ", token[0])
        case "blank":
            return token[0].replace("\t", " ")
        case _:
            return token[0]


def _character(pair: re.Match[str]) -> str:
    """One escape for the two halves that JSON writes a character with."""
    high, low = int(pair[1], 16), int(pair[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _mistake(text: str, index: int, file: str) -> tuple[Position, str]:
    lines = LINE_BREAK.split(text[:index])
    position = (file, len(lines), len(lines[-1]) + 1)
    if text[index] == '"':
        return position, "this text has no end in its line"
    if text.startswith("/*", index):
        return position, "this comment has no end"
    return position, f"{quoted(text[index : index + 20].splitlines()[0])} is not valid here"
