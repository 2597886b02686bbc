"""The quick reader of command lines: reads well-formed ones, and leaves all others to Typer.

Importing Typer and the modules it uses to check arguments takes longer than most commands run. So this module reads
lines in which every word is the full name of an option, its value or an argument. Everything else (help, completion,
mistakes, combined short options) goes to Typer. If this module reads a line, Typer would call the same function with
the same arguments; a test checks that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from envctl.cli.declare import (
    COMMON,
    Argument,
    Group,
    Option,
    Options,
    Parameter,
    load,
    parameters,
)
from envctl.lazy_dataclass import dataclass

_QUOTING: Final = frozenset("\"'\\\t\n$`")
_PLAIN_NAME: Final = re.compile(r"[\w.@=-]+")


@dataclass(frozen=True, slots=True)
class Call:
    """A command to run: its function, the common options, and its own arguments."""

    function: Callable[..., int | None]
    options: Options
    arguments: dict[str, Any]


class _NotSure(Exception):  # noqa: N818 - not an error: Typer reads the line instead
    """The quick reader does not know a word."""


def read(words: Sequence[str], group: Group) -> Call | None:
    """The call that a command line asks for; None if Typer has to read the line."""
    try:
        outer = _Line(COMMON, stops=True)
        left = outer.take(words)
        place: str | Group = group
        while isinstance(place, Group):
            named = place.place(left[0]) if left else None
            if named is None:
                return None
            place, left = named, left[1:]
        function = load(place)
        line = _Line.of_command(function)
        arguments = line.arguments(line.take(left))
    except _NotSure:
        return None
    return Call(
        function, Options.pop_from(arguments).over(Options.pop_from(outer.values)), arguments
    )


def complete(environ: Mapping[str, str], group: Group) -> str | None:
    """The completions that a shell shows when TAB is pressed; None if Typer has to answer.

    Answers for names of commands in bash, and for arguments in bash and zsh. Typer takes ten times as long.
    """
    try:
        words, begun, shell = _typed(environ)
        names = _candidates(words, begun, group, shell)
    except _NotSure:
        return None
    names = [name for name in names if name.startswith(begun)]
    if shell == "bash":
        return "\n".join(names)
    if not all(_PLAIN_NAME.fullmatch(name) for name in names):
        return None
    quoted = "\n".join(f'"{name}"' for name in names)
    return f"_arguments '*: :(({quoted}))'" if names else "_files"


def _typed(environ: Mapping[str, str]) -> tuple[list[str], str, str]:
    """The complete words, the word being typed, and the shell."""
    shell = environ["_ENVCTL_COMPLETE"].removeprefix("complete_")
    line = environ.get({"bash": "COMP_WORDS", "zsh": "_TYPER_COMPLETE_ARGS"}.get(shell, ""), "")
    if not line or set(line) & _QUOTING:
        raise _NotSure
    words = line.split()[1:]
    if shell == "bash":
        index = int(environ["COMP_CWORD"]) - 1
        return words[:index], (words[index] if index < len(words) else ""), shell
    if line[-1] == " ":
        return words, "", shell
    return words[:-1], words[-1] if words else "", shell


def _candidates(words: Sequence[str], begun: str, group: Group, shell: str) -> Sequence[str]:
    """The candidates for the word being typed."""
    outer = _Line(COMMON, stops=True)
    left = outer.take(words)
    place: str | Group = group
    while isinstance(place, Group) and left:
        named = place.place(left[0])
        if named is None:
            raise _NotSure
        place, left = named, left[1:]
    if begun.startswith("-") or (isinstance(place, Group) and shell != "bash"):
        raise _NotSure
    if isinstance(place, Group):
        return list(place.commands)
    if words and words[-1].startswith("-") and words[-1] != "--":
        # Typer completes the value of such an option even among the words of another program, as in `exec web CMD --set`.
        raise _NotSure
    function = load(place)
    line = _Line.of_command(function)
    left = line.take(left)
    places = [parameter for parameter in line.known if isinstance(parameter.what, Argument)]
    current = places[min(len(left), len(places) - 1)] if places else None
    if current is None or (len(left) >= len(places) and not current.many):
        raise _NotSure
    folder = line.values.get("directory") or outer.values.get("directory") or Path()
    return _completions(current, left, begun, folder)


def _completions(
    parameter: Parameter, before: Sequence[str], begun: str, folder: Path
) -> Sequence[str]:
    """The completions that an argument declares. Errors give an empty list: a shell must not show them."""
    find = parameter.what.complete if isinstance(parameter.what, Argument) else None
    if find is None:
        raise _NotSure
    try:
        return find(begun, before, folder)
    except Exception:  # noqa: BLE001
        return ()


def options_end(function: Callable[..., int | None], words: Sequence[str]) -> int:
    """The index of the first word after a command's options; 0 if the quick reader cannot tell."""
    try:
        return len(words) - len(_Line.of_command(function).take(words))
    except _NotSure:
        return 0


@dataclass(slots=True)
class _Line:
    known: Sequence[Parameter]
    stops: bool
    """Whether options end at the first argument."""
    keeps_separator: bool = False
    """Whether a `--` in place of the first argument is kept, because the words after it belong to another program."""
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_command(cls, function: Callable[..., int | None]) -> _Line:
        """The words after a command's name."""
        takes_the_rest = hasattr(function, "takes_the_rest")
        return cls(parameters(function), stops=takes_the_rest, keeps_separator=takes_the_rest)

    def take(self, words: Sequence[str]) -> list[str]:
        """Remove the options from the words and return the arguments."""
        options = {
            word: (parameter, meant)
            for parameter in self.known
            if isinstance(parameter.what, Option)
            for word, meant in parameter.what.words.items()
        }
        left: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            index += 1
            if word == "--" and self.keeps_separator:
                return list(words[index - 1 :])
            if not word.startswith("-"):
                if not word:
                    raise _NotSure
                left.append(word)
                if self.stops:
                    return [*left, *words[index:]]
                continue
            name, equals, value = word.partition("=")
            if name not in options or (equals and not name.startswith("--")):
                raise _NotSure
            parameter, meant = options[name]
            if parameter.type is bool:
                if equals:
                    raise _NotSure
                self._set(parameter, meant)
                continue
            if not equals:
                value = words[index] if index < len(words) else "-"
                index += 1
            if not value or value.startswith("-"):
                raise _NotSure
            self._set(parameter, _converted(parameter, value))
        return left

    def _set(self, parameter: Parameter, value: Any) -> None:
        if parameter.many:
            self.values.setdefault(parameter.name, []).append(value)
        elif parameter.name in self.values:
            raise _NotSure
        else:
            self.values[parameter.name] = value

    def arguments(self, words: list[str]) -> dict[str, Any]:
        """All parameters, with the arguments taken from these words in order."""
        arguments: dict[str, Any] = {}
        for parameter in self.known:
            if isinstance(parameter.what, Argument):
                if parameter.many:
                    value: Any = [_converted(parameter, word) for word in words] or None
                    words = []
                else:
                    value = _converted(parameter, words.pop(0)) if words else None
                arguments[parameter.name] = parameter.default if value is None else value
            else:
                arguments[parameter.name] = self.values.get(parameter.name, parameter.default)
            if parameter.required and arguments[parameter.name] is None:
                raise _NotSure
        if words:
            raise _NotSure
        return arguments


def _converted(parameter: Parameter, text: str) -> Any:
    if parameter.type is str:
        return text
    if parameter.type is Path:
        return Path(text)
    least = parameter.what.least if isinstance(parameter.what, Option) else None
    if parameter.type is int and text.isascii() and text.isdecimal() and int(text) >= (least or 0):
        return int(text)
    raise _NotSure
