"""The Typer app, made from the declarations: the whole command line, with help and completion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from envctl import __version__
from envctl.cli.commands import COMMANDS
from envctl.cli.declare import (
    COMMON,
    Argument,
    Complete,
    Group,
    Options,
    Parameter,
    load,
    parameters,
)
from envctl.cli.front import Call, options_end
from envctl.cli.help import HELP, help_text, summary
from envctl.errors import UsageError

_PLAIN: Mapping[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": list(HELP)},
}
"""Typer settings that keep Rich out."""


CLICK_ERROR: Any = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)
"""Click's error for a wrong command line. Typer brings its own copy of Click, which it does not export."""


class _Commands(MutableMapping[str, Any]):
    """Commands by name, each created when it is looked up, so that one command does not pay for all."""

    def __init__(self, group: Group, run: Callable[[Call], int]) -> None:
        self._places = group.commands
        self._group = group
        self._run = run
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            if name in self._group.foreign:
                hint = self._group.foreign[name]
                raise UsageError(f"there is no command {name!r}", hint=hint)
            place = self._places[self._group.aliases.get(name, name)]
            make = _group if isinstance(place, Group) else _command
            self._commands[name] = make(name, place, self._run)
        return self._commands[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def command_line(run: Callable[[Call], int]) -> Any:
    """The whole command line. `run` gets the requested call and returns its exit code."""
    app = typer.Typer(name="envctl", no_args_is_help=True, **_PLAIN)

    def top(**values: Any) -> None:
        context = values.pop("context")
        values.pop("version")
        context.obj = Options.pop_from(values)

    _sign(top, COMMON, version=_VERSION)
    app.callback()(top)
    group: Any = get_command(app)
    # `envctl completion` prints the script; no option may edit the files of a shell.
    group.params = [option for option in group.params if not option.name.endswith("_completion")]
    group.commands = _Commands(COMMANDS, run)
    return _with_help(group, COMMANDS)


def _group(name: str, group: Any, run: Callable[[Call], int]) -> Any:
    app = typer.Typer(
        name=name, no_args_is_help=True, add_completion=False, help=summary(group), **_PLAIN
    )
    app.callback()(lambda: None)
    command: Any = get_command(app)
    command.commands = _Commands(group, run)
    return _with_help(command, group)


def _command(name: str, place: Any, run: Callable[[Call], int]) -> Any:
    function = load(place)

    def called(**values: Any) -> None:
        context = values.pop("context")
        outer = context.find_root().obj or Options()
        options = Options.pop_from(values).over(outer)
        raise typer.Exit(run(Call(function, options, values)))

    _sign(called, parameters(function))
    settings = dict(_PLAIN["context_settings"])
    if hasattr(function, "takes_the_rest"):
        settings["allow_interspersed_args"] = False
    app = typer.Typer(name=name, add_completion=False, **_PLAIN)
    app.command(name, short_help=summary(place), context_settings=settings)(called)
    command: Any = get_command(app)
    if hasattr(function, "takes_the_rest"):
        command.parse_args = partial(_parse_with_separator, function, command.parse_args)
    return _with_help(command, place)


def _parse_with_separator(
    function: Any, parse: Callable[..., list[str]], context: Any, words: list[str]
) -> list[str]:
    """Parse a command line, keeping a `--` in place of the first argument, which Click drops."""
    end = options_end(function, words)
    if words[end : end + 1] == ["--"]:
        words = [*words[:end], "--", *words[end:]]
    return parse(context, words)


def _with_help(command: Any, place: str | Group) -> Any:
    """The command, with our own help text, which needs no Typer if it is requested in the usual way."""
    command.get_help = lambda context: help_text(context.command_path, place)
    return command


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(f"envctl {__version__}")
        raise typer.Exit


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
    """Give a function the signature that Typer reads."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    signature += [_signed(parameter) for parameter in declared]
    signature += more.values()
    function.__signature__ = inspect.Signature(signature)
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}


def _signed(parameter: Parameter) -> inspect.Parameter:
    what = parameter.what
    shown: Any
    if isinstance(what, Argument):
        completion = _completion(what.complete) if what.complete else None
        shown = typer.Argument(
            metavar=what.metavar, help=what.help, autocompletion=completion, show_default=False
        )
    else:
        shown = typer.Option(
            *what.names,
            help=what.help,
            min=what.least,
            autocompletion=_completion(what.complete) if what.complete else None,
        )
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if parameter.required else parameter.default,
        annotation=Annotated[parameter.annotation, shown],
    )


def _arguments_before(context: typer.Context) -> list[str]:
    """The arguments that are already typed of a command line that is being completed."""
    before: list[str] = []
    for parameter in context.command.params:
        if parameter.param_type_name == "argument":
            value = context.params.get(parameter.name or "") or ()
            before += [value] if isinstance(value, str) else value
    return before


def _completion(complete: Complete) -> Callable[..., list[str]]:
    def completed(context: typer.Context, incomplete: str) -> list[str]:
        folders = [place.params.get("directory") for place in (context, context.find_root())]
        folder = next((Path(folder) for folder in folders if folder), Path())
        try:
            names = complete(incomplete, _arguments_before(context), folder)
        except Exception:  # noqa: BLE001 - a shell must not show errors while completing
            return []
        return [name for name in names if name.startswith(incomplete)]

    return completed
