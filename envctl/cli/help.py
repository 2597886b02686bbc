"""Help texts, made from the declarations. Typer shows them too, but importing Typer takes longer than making one."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from envctl.cli.declare import COMMON, Argument, Group, Option, Parameter, load, parameters
from envctl.lazy_dataclass import dataclass

HELP: Final = ("--help", "-h")
VALUE_NAMES: Final = {str: "TEXT", Path: "PATH", int: "NUMBER"}
_HELP_ROW: Final = ("-h, --help", "Show this help.")
_TOP_ROWS: Final = (("--version", "Print the version."),)
"""The options of envctl itself."""
_WIDEST: Final = 100
_SUMMARY: Final = 66
"""The space for a command's summary, in characters, on a terminal 80 columns wide."""


@dataclass(frozen=True, slots=True)
class Documentation:
    """A command's docstring, parsed: a summary, paragraphs, examples, and the keys of its JSON."""

    summary: str
    paragraphs: Sequence[str]
    examples: Sequence[str]
    json: str


def documentation(function: Callable[..., object]) -> Documentation:
    """Read the docstring of a command."""
    summary, *blocks = (inspect.getdoc(function) or "").split("\n\n")
    paragraphs, examples, json = [], [], ""
    for block in blocks:
        if block.startswith("Examples:\n"):
            examples = [line.strip() for line in block.splitlines()[1:]]
        elif block.startswith("JSON: "):
            json = block
        else:
            paragraphs.append(block)
    return Documentation(summary, paragraphs, examples, json)


def requested_help(words: Sequence[str], group: Group) -> str | None:
    """The help that `help NAME` or `NAME --help` asks for; None for other words."""
    if words[:1] == ["help"]:
        names = words[1:]
    elif words and words[-1] in HELP:
        names = words[:-1]
    else:
        return None
    place: str | Group = group
    for name in names:
        named = place.place(name) if isinstance(place, Group) else None
        if named is None:
            return None
        place = named
    return help_text(" ".join(["envctl", *names]), place)


def help_text(name: str, place: str | Group) -> str:
    """The help of a command or a group of commands, as wide as the terminal."""
    width = min(_terminal_width(), _WIDEST)
    lines = _group_lines(name, place, width) if isinstance(place, Group) else ()
    return "\n".join(lines or _command_lines(name, load(str(place)), width))


def summary(place: str | Group) -> str:
    """A command's summary: the first sentence of its documentation, shortened if it is too long."""
    text = place.help if isinstance(place, Group) else documentation(load(place)).summary
    line = text.partition("\n")[0]
    return line if len(line) <= _SUMMARY else f"{re.split('[:,]', line)[0].rstrip('.')}."


def usage(name: str, function: Callable[..., object]) -> str:
    """How a command is typed: `envctl up [OPTIONS] [TARGET] [SERVICE]...`."""
    arguments = [
        parameter for parameter in parameters(function) if isinstance(parameter.what, Argument)
    ]
    return " ".join([name, "[OPTIONS]", *map(argument_usage, arguments)])


def argument_usage(argument: Parameter) -> str:
    """How one argument is typed."""
    metavar = argument.what.metavar if isinstance(argument.what, Argument) else ""
    many = "..." if argument.many and not metavar.endswith("...") else ""
    return f"{metavar if argument.required else f'[{metavar}]'}{many}"


def argument_name(argument: Parameter) -> str:
    """The argument's name without brackets and dots."""
    return argument_usage(argument).strip("[].")


def option_names(option: Parameter) -> str:
    """An option's names, the short one first, and the type of its value."""
    names = option.what.names if isinstance(option.what, Option) else ()
    value = "" if option.type is bool else f" {VALUE_NAMES[option.type]}"
    return ", ".join(sorted(names, key=len)) + value


def option_help(option: Parameter) -> str:
    """What an option does, and its default if it has one."""
    default = "" if option.default in (None, False, "") else f" Default: {option.default}."
    return option.what.help + default


def _group_lines(name: str, group: Group, width: int) -> Iterator[str]:
    yield f"Usage: {name} [OPTIONS] COMMAND [ARGS]..."
    yield from _text(inspect.cleandoc(group.help).split("\n\n"), width)
    longest = max(map(len, group.commands))
    for section in group.sections:
        yield f"\n{section.title}:"
        rows = ((name, summary(place)) for name, place in section.commands.items())
        yield from _rows(rows, width, longest)
        yield from _examples(section.examples)
    is_top = " " not in name
    options = (*_option_rows(COMMON), *_TOP_ROWS) if is_top else ()
    yield "\nOptions:"
    yield from _rows([*options, _HELP_ROW], width)


def _command_lines(name: str, function: Callable[..., object], width: int) -> Iterator[str]:
    text = documentation(function)
    declared = parameters(function)
    arguments = [parameter for parameter in declared if isinstance(parameter.what, Argument)]
    options = [parameter for parameter in declared if isinstance(parameter.what, Option)]
    yield f"Usage: {usage(name, function)}"
    yield from _text([text.summary, *text.paragraphs], width)
    if text.examples:
        yield "\nExamples:"
        yield from (f"  {line}" for line in text.examples)
    for title, rows in (
        ("Arguments", [(argument_name(argument), argument.what.help) for argument in arguments]),
        ("Options", _option_rows(option for option in options if option not in COMMON)),
        (
            "Common options",
            [*_option_rows(option for option in options if option in COMMON), _HELP_ROW],
        ),
    ):
        if rows:
            yield f"\n{title}:"
            yield from _rows(rows, width)


def _option_rows(options: Iterable[Parameter]) -> list[tuple[str, str]]:
    return [(option_names(option), option_help(option)) for option in options]


def _examples(examples: Sequence[str]) -> Iterator[str]:
    if examples:
        yield ""
        yield from (f"    {line}" for line in examples)


def _text(paragraphs: Iterable[str], width: int) -> Iterator[str]:
    for paragraph in paragraphs:
        yield ""
        yield from _wrapped(paragraph, width, indent="  ")


def _rows(rows: Iterable[tuple[str, str]], width: int, least: int = 0) -> Iterator[str]:
    """Two columns: names and their descriptions."""
    rows = list(rows)
    column = max([least, *(len(name) for name, _ in rows)]) + 4
    for name, text in rows:
        first, *more = _wrapped(text, width, indent=" " * column)
        yield f"  {name}".ljust(column) + first.lstrip()
        yield from more


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """The text, wrapped to this width. Importing `textwrap` would take longer than this function."""
    lines, line = [], ""
    for word in text.split():
        if line and len(indent) + len(line) + 1 + len(word) > width:
            lines.append(indent + line)
            line = ""
        line = f"{line} {word}" if line else word
    return [*lines, indent + line]


def _terminal_width() -> int:
    """The terminal's width in columns; 80 without a terminal. `COLUMNS` overrides it."""
    columns: Any = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return max(int(columns), 40)
    try:
        return max(os.get_terminal_size(1).columns, 40)
    except OSError:
        return 80
