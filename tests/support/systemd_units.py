"""Reads systemd's files as systemd does (systemd.syntax(7), systemd.exec(5), systemd.service(5)), without envctl's own code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_SPACE: Final = " \t\n\r"
_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "s": " ",
    "\\": "\\",
    '"': '"',
    "'": "'",
}


def sections(text: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The settings of a unit file, by section. Lines that end with a backslash continue."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in text.replace("\\\n", " ").split("\n"):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        if line.startswith("["):
            name = line.strip()[1:-1]
            found.setdefault(name, [])
            continue
        key, equals, value = line.partition("=")
        assert equals, f"no setting: {line!r}"
        found[name].append((key.strip(), value.strip(" \t")))
    return found


def settings(text: str, section: str, key: str) -> list[str]:
    """The values of a setting, in order."""
    return [value for name, value in sections(text).get(section, ()) if name == key]


def words(value: str) -> list[str]:
    """The words of a value: unquoted, with C escapes, before specifiers and variables."""
    result: list[str] = []
    index = 0
    while True:
        while value[index : index + 1] and value[index] in _SPACE:
            index += 1
        if index == len(value):
            return result
        word, index = _word(value, index)
        result.append(word)


def _word(value: str, index: int) -> tuple[str, int]:
    data, quote = bytearray(), ""
    while index < len(value):
        char = value[index]
        if char == "\\":
            text, index = _escape(value, index + 1)
            data += text
            continue
        index += 1
        if quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char in _SPACE:
            break
        else:
            data += char.encode()
    assert not quote, f"no closing quote: {value!r}"
    return data.decode(), index


def _escape(value: str, index: int) -> tuple[bytes, int]:
    char = value[index]
    if char == "x":
        return bytes([int(value[index + 1 : index + 3], 16)]), index + 3
    if char in "uU":
        end = index + (5 if char == "u" else 9)
        return chr(int(value[index + 1 : end], 16)).encode(), end
    assert char in _ESCAPES, f"no escape: {value!r}"
    return _ESCAPES[char].encode(), index + 1


def without_specifiers(text: str) -> str:
    """A text in which `%%` is a percent sign. Other specifiers are not allowed."""
    assert re.fullmatch(r"(?:[^%]|%%)*", text, re.DOTALL), f"a specifier: {text!r}"
    return text.replace("%%", "%")


def command(value: str) -> list[str]:
    """The arguments that `ExecStart=` starts: no variable is set, so `${X}` is one empty argument."""
    result = []
    for word in words(value):
        text = without_specifiers(word)
        assert re.fullmatch(r"(?:[^$]|\$\$|\$\{\w+\})*", text, re.DOTALL), f"a variable: {text!r}"
        text = re.sub(r"\$\$|\$\{\w+\}", lambda match: "$" if match[0] == "$$" else "", text)
        result.append(text)
    return result


def environment_file(text: str) -> Mapping[str, str]:
    """The variables of an `EnvironmentFile=`."""
    variables: dict[str, str] = {}
    index = 0
    while index < len(text):
        if text[index] in _SPACE:
            index += 1
        elif text[index] in "#;":
            index = text.index("\n", index)
        else:
            name, _, _ = text[index:].partition("=")
            variables[name], index = _file_value(text, index + len(name) + 1)
    return variables


def _file_value(text: str, index: int) -> tuple[str, int]:
    value, quote = "", ""
    while index < len(text):
        char = text[index]
        index += 1
        if quote == "'":
            quote, value = ("", value) if char == quote else (quote, value + char)
        elif char == "\\":
            following = text[index]
            index += 1
            # In double quotes only these are escaped; a backslash before another character stays.
            stays = quote == '"' and following not in '"\\`$\n'
            value += ("\\" if stays else "") + ("" if following == "\n" else following)
        elif quote:
            quote, value = ("", value) if char == quote else (quote, value + char)
        elif char in "'\"":
            quote = char
        elif char == "\n":
            break
        else:
            value += char
    return value, index
