"""Quotes values for unit files of systemd and of Podman, which splits words as systemd does. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from envctl.errors import EnvctlError

Settings: TypeAlias = Iterable[tuple[str, str]]
"""Keys and values of a section; the values are quoted already."""

_BARE: Final = re.compile(r"[\w./:@=+,-]+", re.ASCII)
_PLAIN: Final = re.compile(
    r"[^\s\"'\\\x00-\x1f\x7f](?:[^\"'\\\x00-\x1f\x7f]*[^\s\"'\\\x00-\x1f\x7f])?"
)
_ESCAPES: Final[Mapping[str, str]] = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
_PROGRAM: Final = re.compile(r"/[\w./+-]+|\w[\w.+-]*", re.ASCII)
EMPTY: Final = '"${ENVCTL_EMPTY}"'
"""An empty word of a command. Podman drops `""`; systemd replaces a variable that is not set by one empty word."""


def is_plain(text: str) -> bool:
    """Whether a setting that is not split into words can have this value: no quotes, backslashes or line ends."""
    return _PLAIN.fullmatch(text) is not None


def setting(text: str) -> str:
    """The value of a setting that is not split into words; for text that `is_plain`."""
    return text.replace("%", "%%")


def description(text: str) -> str:
    """Text for people, on one line."""
    return setting("".join(char if char.isprintable() else " " for char in text).replace("\\", "/"))


def word(text: str) -> str:
    """One word of a setting that is split into words."""
    if _BARE.fullmatch(text):
        return text
    return '"' + "".join(map(_escaped, text)).replace("%", "%%") + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return f"\\x{ord(char):02x}" if char < " " or char == "\x7f" else char


def path_word(path: str) -> str:
    """A path in a setting that takes several, or options after a colon. EnvctlError if none of these can have it."""
    if not is_plain(path) or ":" in path:
        raise EnvctlError(
            f"a unit file cannot have the path {path!r}: it has a colon, quote, backslash or line end",
            hint="choose another path in the spec",
        )
    return setting(path) if _BARE.fullmatch(path) else f'"{setting(path)}"'


def argument(text: str) -> str:
    """One word of a command. There systemd replaces variables, too."""
    return word(text).replace("$", "$$")


def arguments(argv: Iterable[str]) -> str:
    """The words of a command."""
    return " ".join(map(argument, argv))


def command(argv: Sequence[str]) -> str:
    """A command that systemd starts. A shell looks up a program that systemd would not take by its name."""
    program = "" if _PROGRAM.fullmatch(argv[0]) else '/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" '
    return program + arguments(argv)


def unit_file(sections: Mapping[str, Settings], *, about: str) -> bytes:
    """The text of a unit file; sections without settings are left out."""
    lines = [f"# {about}"]
    for name, settings in sections.items():
        pairs = [f"{key}={value}" for key, value in settings]
        if pairs:
            lines += ["", f"[{name}]", *pairs]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
