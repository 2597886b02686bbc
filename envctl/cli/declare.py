"""How commands are declared: functions whose parameters describe their arguments and options.

The declarations import nothing heavy. Typer's commands (`app`) and the quick reader of well-formed command lines
(`front`) are both made from them, so the two cannot disagree about names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from envctl.cli.completions import complete_variable
from envctl.lazy_dataclass import dataclass

Complete: TypeAlias = Callable[[str, Sequence[str], Path], Sequence[str]]
"""Completions for (what is typed so far, the arguments before it, the project's folder)."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option; a parameter of type bool is a flag, one of type list may be given repeatedly."""

    names: tuple[str, ...]
    help: str
    least: int | None = None
    complete: Complete | None = None

    @property
    def words(self) -> Mapping[str, bool]:
        """The option's words, and the value that each gives a flag: "-t/-T" declares both."""
        return {
            word: not index for name in self.names for index, word in enumerate(name.split("/"))
        }


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument; a parameter of type list takes all remaining words."""

    metavar: str
    help: str
    complete: Complete | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command."""

    name: str
    what: Option | Argument
    type: type[Any]
    many: bool
    required: bool
    default: Any
    annotation: Any


@dataclass(frozen=True, slots=True)
class Options:
    """The options that every command takes, before or after its name."""

    directory: Path | None = None
    sets: tuple[str, ...] = ()
    debug: bool = False
    quiet: bool = False
    no_color: bool = False

    @classmethod
    def pop_from(cls, values: dict[str, Any]) -> Options:
        """Take the common options out of a command's arguments."""
        names = [parameter.name for parameter in COMMON if parameter.name in values]
        options = {name: values.pop(name) for name in names}
        return cls(**{**options, "sets": tuple(options.get("sets") or ())})

    def over(self, outer: Options) -> Options:
        """These options, completed with those given before the command's name."""
        return Options(
            directory=self.directory or outer.directory,
            sets=(*outer.sets, *self.sets),
            debug=self.debug or outer.debug,
            quiet=self.quiet or outer.quiet,
            no_color=self.no_color or outer.no_color,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """Commands that help shows together: names mapped to "module:function" or a group, with examples."""

    title: str
    commands: Mapping[str, str | Group]
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under a common name, such as `base`."""

    help: str
    sections: Sequence[Section]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names that other tools use for these commands; help does not list them."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Commands of other tools with another meaning here, and what to do instead."""

    def place(self, word: str) -> str | Group | None:
        """The command or group that a name or alias stands for; None if it is neither."""
        return self.commands.get(self.aliases.get(word, word))

    @property
    def commands(self) -> Mapping[str, str | Group]:
        """All commands by name."""
        return {name: place for part in self.sections for name, place in part.commands.items()}


AsJson: TypeAlias = Annotated[
    bool, Option(("--json",), "Print JSON on standard output, and nothing else there.")
]
Directory: TypeAlias = Annotated[
    Path | None, Option(("--directory", "-C"), "Work on the project in this folder.")
]
Sets: TypeAlias = Annotated[
    list[str] | None,
    Option(
        ("--set",),
        "Set a variable of the spec, name=value. Repeatable.",
        complete=complete_variable,
    ),
]
Profiles: TypeAlias = Annotated[
    list[str] | None,
    Option(("--profile",), "Include the services of this profile. Repeatable."),
]
Debug: TypeAlias = Annotated[bool, Option(("--debug",), "Show tracebacks of errors.")]
Quiet: TypeAlias = Annotated[
    bool,
    Option(("--quiet", "-q"), "Show only errors and results; for comparisons, only the verdict."),
]
NoColor: TypeAlias = Annotated[bool, Option(("--no-color",), "Show no colours.")]


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    declared, what = get_args(annotation)
    kind = get_args(declared)[0] if isinstance(declared, UnionType) else declared
    many = get_origin(kind) is list
    empty = inspect.Parameter.empty
    return Parameter(
        name,
        what,
        get_args(kind)[0] if many else kind,
        many,
        required=default is empty,
        default=None if default is empty else default,
        annotation=declared,
    )


COMMON: Sequence[Parameter] = (
    _parameter("sets", Sets, None),
    _parameter("directory", Directory, None),
    _parameter("debug", Debug, False),
    _parameter("quiet", Quiet, False),
    _parameter("no_color", NoColor, False),
)


def without_spec(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a command that reads no spec and so takes no `--set`."""
    function.without_spec = True  # type: ignore[attr-defined]
    return function


def takes_the_rest(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a command whose options end at the first argument; all later words are passed on unchanged."""
    function.takes_the_rest = True  # type: ignore[attr-defined]
    return function


def load(place: str) -> Callable[..., int | None]:
    """Import the function at "module:function"."""
    module, _, name = place.partition(":")
    function: Callable[..., int | None] = getattr(import_module(module), name)
    return function


def parameters(function: Callable[..., Any]) -> Sequence[Parameter]:
    """A command's parameters: first its own, without the Invocation, then the common ones."""
    declared = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    common = COMMON[1:] if hasattr(function, "without_spec") else COMMON
    return (*(_parameter(each.name, each.annotation, each.default) for each in declared), *common)
