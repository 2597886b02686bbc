"""The commands of a RUN that are joined by `&&`, and what envctl knows about some of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

from envctl.definition.keys.scalars import PACKAGE
from envctl.definition.tree import ScalarNode
from envctl.definition.value_readers import InvalidValue
from envctl.imports.dockerfile.image_settings import UntranslatableError
from envctl.lazy_dataclass import dataclass

_MAX_COMMANDS: Final = 200
_KEYWORDS: Final = frozenset(
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "select",
        "function",
        "{",
        "}",
        "!",
        "[[",
    ]
)
_ERREXIT: Final = re.compile(r"set\s+-[a-z]*e[a-z]*(\s+-o\s+pipefail)?\s*;")
_APT: Final = re.compile(
    r"(?:DEBIAN_FRONTEND=\w+\s+)?(?:apt-get|apt)((?:\s+-[a-z]+|\s+--[a-z-]+)*)\s+(update|install|clean|autoclean)\b(.*)",
    re.DOTALL,
)
_APT_OPTIONS: Final = frozenset(
    [
        "-y",
        "-q",
        "-qq",
        "-qy",
        "-yq",
        "-yqq",
        "-qqy",
        "--yes",
        "--assume-yes",
        "--quiet",
        "--no-install-recommends",
        "--no-install-suggests",
    ]
)
_CLEANUP: Final = re.compile(
    r"rm\s+-(?:rf|fr|r)(\s+(/var/lib/apt/lists(/\*|/)?|/var/cache/apt(/\S*)?|/var/log/(apt|dpkg)\S*))+"
)
_USER_FLAGS: Final = frozenset(
    [
        "-r",
        "--system",
        "-m",
        "--create-home",
        "-M",
        "--no-create-home",
        "--no-create-home",
        "-l",
        "--no-log-init",
        "-U",
        "--user-group",
        "--disabled-password",
        "--disabled-login",
        "--group",
        "-rm",
        "-mr",
        "-rU",
        "-mU",
        "-ms",
    ]
)
_USER_VALUES: Final = {
    **dict.fromkeys(("-u", "--uid"), "uid"),
    **dict.fromkeys(("-g", "--gid", "--ingroup"), "group"),
    **dict.fromkeys(("-d", "--home-dir", "--home"), "home"),
    **dict.fromkeys(("-s", "--shell"), "shell"),
    **dict.fromkeys(("-c", "--comment", "--gecos"), "comment"),
}
USER_COMMANDS: Final = ("useradd", "adduser", "groupadd", "addgroup")


def split_chain(text: str) -> list[str] | None:
    """The commands that `&&` joins. None if the text is more than that: its parts cannot be told apart safely."""
    first = _ERREXIT.match(text.strip())
    parts = _parts(text.strip()[first.end() :] if first else text, is_errexit=first is not None)
    if (
        parts is None
        or len(parts) > _MAX_COMMANDS
        or any(not part or _starts_compound(part) for part in parts)
    ):
        return None
    return parts


def _starts_compound(part: str) -> bool:
    return part.split(None, 1)[0] in _KEYWORDS or part.startswith("(") or part.endswith("\\")


class _Scanner:
    """Walks through a script, and knows whether a character is in quotes or in brackets."""

    def __init__(self) -> None:
        self.quote = ""
        self.depth = 0

    def is_plain(self, char: str) -> bool:
        """Whether a character is a part of the script itself."""
        if char in "'\"`" and self.quote in ("", char):
            self.quote = "" if self.quote else char
            return False
        if self.quote != "'" and char in "({":
            self.depth += 1
        elif self.quote != "'" and char in ")}":
            self.depth -= 1
        return not self.quote and self.depth == 0


def _parts(text: str, *, is_errexit: bool) -> list[str] | None:
    scanner = _Scanner()
    parts: list[str] = []
    begin = index = 0
    while index < len(text):
        char = text[index]
        if char == "\\" and scanner.quote != "'":
            index += 2
            continue
        if scanner.is_plain(char):
            width = _separator(text, index, is_errexit=is_errexit)
            if width < 0:
                return None
            if width:
                parts.append(text[begin:index].strip())
                begin = index + width
                index = begin
                continue
        index += 1
    last = text[begin:].strip()
    if scanner.quote or scanner.depth:
        return None
    return [*parts, last] if last or not is_errexit else parts


def _separator(text: str, index: int, *, is_errexit: bool) -> int:
    """The width of the separator at an index: 0 if it is none, -1 if it is more than `&&`."""
    char, after = text[index], text[index + 1 : index + 2]
    if char == "&":
        if after == "&":
            return 2
        return 0 if after == ">" or text[index - 1 : index] in (">", "<") else -1
    if char == ";":
        return 1 if is_errexit and after != ";" else -1
    is_or = char == "|" and after == "|"
    is_heredoc = char == "<" and after == "<"
    is_comment = char == "#" and (index == 0 or text[index - 1].isspace())
    return -1 if is_or or is_heredoc or is_comment or char == "\n" else 0


@dataclass(frozen=True, slots=True)
class AptCommand:
    """A call of apt-get. `packages` is None if an install cannot be expressed as `packages`."""

    verb: str
    packages: tuple[str, ...] | None = ()
    has_recommends: bool = False


def apt_command(text: str) -> AptCommand | None:
    """What a command does with apt; None if it is another command."""
    if _CLEANUP.fullmatch(text):
        return AptCommand("clean")
    match = _APT.fullmatch(text)
    if match is None:
        return None
    words = _simple_words(f"{match[1]} {match[3]}")
    if match[2] != "install":
        is_plain = words is not None and {*words} <= _APT_OPTIONS
        return AptCommand("clean" if match[2] != "update" else "update") if is_plain else None
    if words is None:
        return AptCommand("install", None)
    options = {word for word in words if word.startswith("-")}
    names = tuple(word for word in words if not word.startswith("-"))
    if not options <= _APT_OPTIONS or not names or not all(map(_is_package, names)):
        return AptCommand("install", None)
    return AptCommand("install", names, "--no-install-recommends" not in options)


def _simple_words(text: str) -> list[str] | None:
    """The words of a command without anything that a shell replaces."""
    if re.search(r"[$`*?<>|&;(){}\[\]~]", text):
        return None
    try:
        return shlex.split(text)
    except ValueError:
        return None


def _is_package(name: str) -> bool:
    try:
        PACKAGE.parse(ScalarNode(name, ("", 0, 0)))
    except InvalidValue:
        return False
    return True


@dataclass(frozen=True, slots=True)
class UserCommand:
    """A command that creates a user or a group."""

    name: str
    is_group: bool
    options: tuple[tuple[str, str], ...]

    def option(self, name: str) -> str:
        """An option's value."""
        return dict(self.options).get(name, "")


def user_command(text: str) -> UserCommand | None:
    """The user or group that a command creates; None if it is another command, or has other options."""
    words = _simple_words(text)
    if not words or words[0].rpartition("/")[2] not in USER_COMMANDS:
        return None
    options: dict[str, str] = {}
    names: list[str] = []
    remaining = iter(words[1:])
    for word in remaining:
        option, equals, value = word.partition("=")
        if option in _USER_VALUES:
            options[_USER_VALUES[option]] = value if equals else next(remaining, "")
        elif word in ("-ms", "-rms"):
            options["shell"] = next(remaining, "")
        elif not word.startswith("-"):
            names.append(word)
        elif word not in _USER_FLAGS:
            return None
    if len(names) != 1:
        return None
    return UserCommand(names[0], "group" in words[0], tuple(options.items()))


@dataclass(frozen=True, slots=True)
class PipCommand:
    """An installation into a virtual environment, given by the program that is called."""

    program: str
    requirements: str
    packages: tuple[str, ...]


_PIP: Final = re.compile(r"(\S*?)(?:pip3?|python3?\s+-m\s+pip)\s+install\s+(.*)", re.DOTALL)
_PIP_FLAGS: Final = frozenset(("--no-cache-dir", "--no-cache", "-q", "--quiet", "--no-input"))


def pip_command(text: str) -> PipCommand | None:
    """What pip installs; None if the command is another one, or has options that the `pip` step has not."""
    match = _PIP.fullmatch(text)
    words = _simple_words(match[2]) if match else None
    if match is None or words is None:
        return None
    requirements: list[str] = []
    packages: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in ("-r", "--requirement"):
            requirements.append(next(remaining, ""))
        elif not word.startswith("-"):
            packages.append(word)
        elif word not in _PIP_FLAGS:
            return None
    if len(requirements) > 1 or not (requirements or packages) or "" in requirements:
        return None
    if any(name.startswith((".", "/")) or "/" in name.partition("@")[0] for name in packages):
        return None
    return PipCommand(match[1], "".join(requirements), tuple(packages))


def venv_folder(text: str) -> str:
    """The folder in which a command makes a virtual environment; empty if it does not."""
    match = re.fullmatch(r"(?:/usr/bin/)?python3?\s+-m\s+venv\s+(/[\w./-]+)", text)
    return match[1].rstrip("/") if match and ".." not in match[1].split("/") else ""


_NPM_FLAGS: Final = frozenset(("--no-audit", "--no-fund", "--quiet", "--silent"))
_PRODUCTION: Final = frozenset(("--omit=dev", "--production", "--only=production"))


def npm_command(text: str) -> tuple[str, ...] | None:
    """The options of `npm ci`, without those that the `npm` step has anyway; None for other commands."""
    words = _simple_words(text)
    if not words or words[:2] not in (["npm", "ci"], ["npm", "clean-install"]):
        return None
    options = {*words[2:]} - _NPM_FLAGS
    return tuple(sorted(options)) if options <= _PRODUCTION else None


def require_no_user(commands: Sequence[str], user: str) -> None:
    """UntranslatableError if a command creates the user of the service in a way that is not understood."""
    for command in commands:
        words = command.split()
        if user in words and any(name in words for name in USER_COMMANDS):
            raise UntranslatableError(
                f"it creates the user {user}, whom envctl creates, with other options",
                f"`RUN useradd --uid NUMBER {user}`",
            )
