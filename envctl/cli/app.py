"""The Typer app, made of the declarations: the whole command line, with help and completion."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from envctl import __version__
from envctl.cli.commands import COMMANDS
from envctl.cli.declare import COMMON, Argument, Complete, Group, Options, Parameter, parameters
from envctl.cli.front import Call, load, options_end

_PLAIN: Mapping[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["--help", "-h"], "max_content_width": 100},
}
"""Typer settings that keep Rich out."""


class _Commands(MutableMapping[str, Any]):
    """Commands by name, made when looked up: one costs no more than that one."""

    def __init__(self, group: Group, run: Callable[[Call], int]) -> None:
        self._places = group.commands
        self._run = run
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            place = self._places[name]
            make = _group if isinstance(place, Group) else _command
            self._made[name] = make(name, place, self._run)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def command_line(run: Callable[[Call], int]) -> Any:
    """The whole command line; `run` is told the call that was asked for, and gives its exit code."""
    app = typer.Typer(name="envctl", no_args_is_help=True, help=COMMANDS.help, **_PLAIN)

    def top(**given: Any) -> None:
        context = given.pop("context")
        given.pop("version")
        context.obj = Options.taken(given)

    _sign(top, COMMON, version=_VERSION)
    app.callback()(top)
    group: Any = get_command(app)
    group.commands = _Commands(COMMANDS, run)
    return group


def _group(name: str, group: Any, run: Callable[[Call], int]) -> Any:
    app = typer.Typer(
        name=name, no_args_is_help=True, add_completion=False, help=group.help, **_PLAIN
    )
    app.callback()(lambda: None)
    made: Any = get_command(app)
    made.commands = _Commands(group, run)
    return made


def _command(name: str, place: Any, run: Callable[[Call], int]) -> Any:
    function = load(place)

    def called(**given: Any) -> None:
        context = given.pop("context")
        outer = context.find_root().obj or Options()
        options = Options.taken(given).over(outer)
        raise typer.Exit(run(Call(function, options, given)))

    _sign(called, parameters(function))
    settings = dict(_PLAIN["context_settings"])
    if hasattr(function, "takes_the_rest"):
        settings["allow_interspersed_args"] = False
    app = typer.Typer(name=name, add_completion=False, **_PLAIN)
    told = inspect.getdoc(function) or ""
    app.command(name, help=told, short_help=_short(told), context_settings=settings)(called)
    command: Any = get_command(app)
    if hasattr(function, "takes_the_rest"):
        command.parse_args = partial(_parse_with_separator, function, command.parse_args)
    return command


def _parse_with_separator(
    function: Any, parse: Callable[..., list[str]], context: Any, words: list[str]
) -> list[str]:
    """Parse a command line, keeping a `--` in place of the first argument, which Click drops."""
    end = options_end(function, words)
    if words[end : end + 1] == ["--"]:
        words = [*words[:end], "--", *words[end:]]
    return parse(context, words)


def _short(told: str) -> str:
    """What the list of commands says of one: its first line, or the beginning that fits there."""
    line = told.partition("\n")[0]
    return line if len(line) <= _ROOM else f"{re.split('[:,]', line)[0].rstrip('.')}."


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"envctl {__version__}")
        raise typer.Exit


_ROOM: Final = 66
"""Letters beside a command's name, on a terminal of 80."""
_VERSION = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ],
)


def _sign(function: Any, declared: Any, **more: inspect.Parameter) -> None:
    """Give a function the signature Typer reads."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    signature += [_signed(one) for one in declared]
    signature += more.values()
    function.__signature__ = inspect.Signature(signature)
    function.__annotations__ = {one.name: one.annotation for one in signature}


def _signed(one: Parameter) -> inspect.Parameter:
    what = one.what
    shown: Any
    if isinstance(what, Argument):
        completion = _completion(what.complete) if what.complete else None
        shown = typer.Argument(
            metavar=what.metavar, help=what.help, autocompletion=completion, show_default=False
        )
    else:
        shown = typer.Option(*what.names, help=what.help, min=what.least)
    return inspect.Parameter(
        one.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if one.required else one.default,
        annotation=Annotated[one.annotation, shown],
    )


def _completion(complete: Complete) -> Callable[..., list[str]]:
    def completed(context: typer.Context, incomplete: str) -> list[str]:
        folders = [one.params.get("directory") for one in (context, context.find_root())]
        folder = next((Path(one) for one in folders if one), Path())
        target = str(context.params.get("target") or "")
        try:
            names = complete(incomplete, target, folder)
        except Exception:  # noqa: BLE001 - a shell that completes must show no error
            return []
        return [name for name in names if name.startswith(incomplete)]

    return completed
