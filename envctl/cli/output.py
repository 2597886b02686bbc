"""Printing: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import IO

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35}
_CODES |= {"cyan": 36}

_NO_STYLES: Mapping[str, str] = {}

_UNSAFE = (
    *range(9),
    *range(11, 32),
    *range(127, 160),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
"""Control characters other than newline and tab, and those that change the text direction."""
_SHOWN = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _UNSAFE}
_IN_JSON = {code: f"\\u{code:04x}" for code in _UNSAFE}
_CODE = (
    "(?:0{0,2}[0-4]|4:[0-5]|2[1-4]|[349][0-79]|10[0-7]"
    "|[34]8(?:;5;[0-9]{1,3}|;2(?:;[0-9]{1,3}){3}|:5:[0-9]{1,3}|:2(?::[0-9]{0,3}){3,4}))"
)
_COLOR = f"(\x1b\\[(?:{_CODE}(?:;{_CODE}){{0,7}})?m)"
"""Sequences for colours, bold, dim, italic and underlined; none that can hide text."""
_RESET = "\x1b[0m"


def escaped(text: str) -> str:
    r"""The text with control characters escaped as \\x1b, so that it cannot control a terminal."""
    return text.translate(_SHOWN)


def escaped_but_color(text: str, *, color: bool = True) -> str:
    """Like `escaped`, but keeps sequences that only set colours, and resets colours at the end.

    Without `color` these sequences are removed.
    """
    if "\x1b" not in text:
        return escaped(text)
    import re

    parts = re.split(_COLOR, text)
    chosen = parts[1::2]
    if not color or not chosen:
        return "".join(map(escaped, parts[::2]))
    shown = "".join(part if index % 2 else escaped(part) for index, part in enumerate(parts))
    return shown if chosen[-1] in (_RESET, "\x1b[m") else shown + _RESET


def json_text(data: object) -> str:
    """Data as indented JSON, with control characters escaped as JSON escapes."""
    return json.dumps(data, indent=2, ensure_ascii=False).translate(_IN_JSON)


def json_line(data: object) -> str:
    """Data as JSON on one line."""
    return json.dumps(data, ensure_ascii=False).translate(_IN_JSON)


def counted(number: int, singular: str, plural: str) -> str:
    """A number of things: "1 unit", "1,200 units"."""
    return f"{number:,} {singular if number == 1 else plural}"


def is_terminal(file: IO[str]) -> bool:
    """Whether this is a terminal that can move its cursor."""
    return file.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def is_color_forced() -> bool:
    """Whether the environment asks for colours without a terminal, as for the log of a CI job."""
    values = (os.environ.get(name, "") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return any(value not in ("", "0") for value in values)


class Stream:
    """Standard output or error. Uses colours on a terminal, or if they are forced, unless they are switched off."""

    def __init__(self, file: IO[str], *, no_color: bool = False) -> None:
        self.file = file
        self.terminal = is_terminal(file)
        off = no_color or bool(os.environ.get("NO_COLOR"))
        self.color = (self.terminal or is_color_forced()) and not off

    def paint(self, text: str, *styles: str) -> str:
        """The escaped text, in these styles if the stream shows colours."""
        if not self.color or not text:
            return self.safe(text)
        codes = ";".join(str(_CODES[style]) for style in styles)
        return f"\x1b[{codes}m{self.safe(text)}{_RESET}"

    def safe(self, text: str) -> str:
        """The text with control characters escaped."""
        return escaped(text)

    def line(self, text: str = "") -> None:
        """Print a line made with `safe` or `paint`."""
        self.file.write(escaped_but_color(text, color=self.color) + "\n")
        self.file.flush()

    def text(self, text: str) -> None:
        """Print a text of any length, escaped."""
        self.file.write(escaped(text.rstrip("\n")) + "\n")
        self.file.flush()

    def table(
        self,
        rows: Sequence[Sequence[str]],
        *,
        head: Sequence[str] = (),
        styles: Mapping[str, str] = _NO_STYLES,
    ) -> None:
        """Print rows in aligned columns; empty columns are left out.

        `styles` maps the text of a cell to its style.
        """
        all_rows = [*([head] if head else []), *rows]
        cells = [[self.safe(cell).replace("\n", " ") for cell in row] for row in all_rows]
        body = cells[1:] if head else cells
        used = [index for index in range(len(cells[0])) if any(row[index] for row in body)]
        widths = {index: max(len(row[index]) for row in cells) for index in used}
        for number, row in enumerate(cells):
            bold = bool(head) and not number
            shown = [
                self._cell(row[index], "bold" if bold else styles.get(row[index]), widths[index])
                for index in used
            ]
            self.line("  ".join(shown).rstrip())

    def _cell(self, text: str, style: str | None, width: int) -> str:
        return (self.paint(text, style) if style else text) + " " * (width - len(text))
