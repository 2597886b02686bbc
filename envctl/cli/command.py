"""What every command has in common: the options it takes, and how it starts and ends."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

Directory: TypeAlias = Annotated[
    Path | None,
    typer.Option("--directory", "-C", help="Work on the project in this folder."),
]
Sets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set a variable of the spec, name=value. Repeatable."),
]
Debug: TypeAlias = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show errors and results only.")
]
Color: TypeAlias = Annotated[bool, typer.Option("--no-color", help="Show no colours.")]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")
]


PLAIN: Mapping[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["--help", "-h"], "max_content_width": 100},
}
"""Typer settings that keep Rich out: importing it takes longer than most commands."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options every command takes, before its name or after it."""

    directory: Path | None = None
    sets: tuple[str, ...] = ()
    debug: bool = False
    quiet: bool = False
    no_color: bool = False

    def over(self, outer: Options) -> Options:
        """These options, completed with those given before the command's name."""
        return Options(
            directory=self.directory or outer.directory,
            sets=(*outer.sets, *self.sets),
            debug=self.debug or outer.debug,
            quiet=self.quiet or outer.quiet,
            no_color=self.no_color or outer.no_color,
        )


def _parameter(name: str, default: object, annotation: object) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


_CONTEXT = _parameter("context", inspect.Parameter.empty, typer.Context)
_SETS = _parameter("sets", None, Sets)
_COMMON = (
    _parameter("directory", None, Directory),
    _parameter("debug", False, Debug),
    _parameter("quiet", False, Quiet),
    _parameter("no_color", False, Color),
)


def command(
    *, reads_spec: bool = True, **context_settings: object
) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Make a command of a function that takes a Session first and may return an exit code.

    It gets the common options (`--set` only if it reads the spec), and its errors are shown.
    """

    def decorate(function: Callable[..., int | None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = (_SETS, *_COMMON) if reads_spec else _COMMON

        @wraps(function)
        def run(**given: Any) -> None:
            context = given.pop("context")
            taken = {one.name: given.pop(one.name) for one in common}
            options = Options(**{**taken, "sets": tuple(taken.get("sets") or ())})
            outer = context.find_root().obj
            raise typer.Exit(_run(function, options.over(outer or Options()), given))

        parameters = [_CONTEXT, *(one.replace(kind=_CONTEXT.kind) for one in own), *common]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.context_settings = context_settings  # type: ignore[attr-defined]
        return run

    return decorate


def _run(function: Callable[..., int | None], options: Options, given: dict[str, Any]) -> int:
    from envctl.cli.failure import guarded
    from envctl.cli.session import Session

    def work() -> int | None:
        session = Session(options)
        try:
            return function(session, **given)
        finally:
            session.close()

    return guarded(work, options)
