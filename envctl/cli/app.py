"""The Typer app: global options, and commands that are imported when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer

from envctl import __version__
from envctl.cli.command import PLAIN, Color, Debug, Directory, Options, Quiet, Sets
from envctl.cli.failure import guarded

COMMANDS: Mapping[str, str] = {
    "init": "envctl.cli.init:init",
    "validate": "envctl.cli.spec:validate",
    "config": "envctl.cli.spec:config",
    "schema": "envctl.cli.spec:schema",
    "plan": "envctl.cli.plan:plan",
    "render": "envctl.cli.plan:render",
    "up": "envctl.cli.up:up",
    "down": "envctl.cli.up:down",
    "stop": "envctl.cli.up:stop",
    "status": "envctl.cli.status:status",
    "logs": "envctl.cli.logs:logs",
    "exec": "envctl.cli.inside:execute",
    "shell": "envctl.cli.inside:shell",
    "doctor": "envctl.cli.doctor:doctor",
    "base": "envctl.cli.base:app",
}
"""Where each command is: a function, or a Typer app of its own."""


class Commands(MutableMapping[str, Any]):
    """Commands by name, built when looked up. Building one of them costs no more than that one."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            module, _, attribute = self._places[name].partition(":")
            self._built[name] = _built(name, getattr(import_module(module), attribute))
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _built(name: str, what: Any) -> Any:
    if isinstance(what, typer.Typer):
        command = typer.main.get_command(what)
        command.name = name
        return command
    alone = typer.Typer(add_completion=False, **PLAIN)
    settings = {**PLAIN["context_settings"], **getattr(what, "context_settings", {})}
    alone.command(name, context_settings=settings)(what)
    return typer.main.get_command(alone)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"envctl {__version__}")
        raise typer.Exit


def top(
    context: typer.Context,
    *,
    directory: Directory = None,
    sets: Sets = None,
    debug: Debug = False,
    quiet: Quiet = False,
    no_color: Color = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """One YAML spec for dev, test and prod: bring it up, look at it, take it down.

    A TARGET is an environment (dev) or an environment on a backend (dev@docker).

    Exit codes: 0 fine, 1 error, 2 wrong usage, 3 there are differences, 130 interrupted.
    """
    del version
    context.obj = Options(
        directory=directory, sets=tuple(sets or ()), debug=debug, quiet=quiet, no_color=no_color
    )


def command_tree() -> Any:
    """The whole command line as Typer (Click) sees it."""
    app = typer.Typer(name="envctl", no_args_is_help=True, **PLAIN)
    app.callback()(top)
    group: Any = typer.main.get_command(app)
    group.commands = Commands(COMMANDS)
    return group


def run() -> None:
    """Run the command line and exit; whatever goes wrong, no traceback is shown."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(guarded(lambda: command_tree().main(prog_name="envctl"), Options()))
