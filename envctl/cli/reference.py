"""The command line as a Markdown page: `python -m envctl.cli.reference > docs/cli-reference.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from envctl.cli.commands import COMMANDS
from envctl.cli.declare import COMMON, Argument, Group, Option, Parameter, parameters
from envctl.cli.front import load

_ABOUT = """\
# Command line

<!-- Made by `python -m envctl.cli.reference`; changes belong in envctl/cli/. -->

"""

_COMMON = """\
`--help` explains any command. `--install-completion` makes the shell complete environments, services
and bases; `--show-completion` prints what it would install.

## Everywhere

A TARGET is an environment (`dev`) or an environment on a backend (`dev@docker`). It may be left out
where the project has one environment.

| exit code | meaning |
| --- | --- |
| 0 | fine |
| 1 | error: standard error says what is wrong and what to do next |
| 2 | wrong usage |
| 3 | there are differences (`plan --exit-code`, `diff`, `parity`, `verify`, `lock --check`) |
| 130 | interrupted; run the command again to go on |
| 141 | the reader of standard output went away |

Results go to standard output, progress and errors to standard error. With `--json` standard output
holds JSON alone; its keys, named below for each command, stay. Keys may be added. On a terminal progress
is live and in colour, unless `--no-color` is given or `NO_COLOR` is set; elsewhere each event is one plain line.
Control characters in what envctl prints are shown escaped.

An unexpected error is one line; its traceback is in `crash.log` in the project's private folder (`~/.local/state/envctl/`), or on the screen with `--debug`.

Options for every command, before its name or after it (`--set` only where the spec is read):

"""


def page() -> str:
    """The whole page."""
    top = inspect.cleandoc(COMMANDS.help).partition("\n")[0]
    common = "\n".join(_option(one) for one in COMMON)
    return f"{_ABOUT}{top}\n\n{_COMMON}{common}\n" + "".join(_commands(COMMANDS, "envctl"))


def _commands(group: Group, before: str) -> Iterator[str]:
    for name, place in group.commands.items():
        if isinstance(place, Group):
            yield from _commands(place, f"{before} {name}")
        else:
            yield "\n".join(_command(f"{before} {name}", place)) + "\n"


def _command(name: str, place: str) -> Iterator[str]:
    function = load(place)
    known = [one for one in parameters(function) if one not in COMMON]
    arguments = [one for one in known if isinstance(one.what, Argument)]
    options = [one for one in known if isinstance(one.what, Option)]
    yield f"\n## {name}\n"
    yield f"    {' '.join([name, *(_usage(one) for one in options), *map(_usage, arguments)])}\n"
    yield inspect.getdoc(function) or ""
    if known:
        yield ""
    yield from (f"- `{_word(one)}`: {one.what.help}" for one in arguments)
    yield from map(_option, options)


def _option(one: Parameter) -> str:
    names = one.what.names if isinstance(one.what, Option) else ()
    value = "" if one.type is bool else f" {one.type.__name__.upper()}"
    default = f" Default: {one.default}." if one.default not in (None, False, "") else ""
    return f"- `{', '.join(names)}{value}`: {one.what.help}{default}"


def _usage(one: Parameter) -> str:
    word = _word(one)
    if isinstance(one.what, Option):
        word = one.what.names[0] if one.type is bool else f"{one.what.names[0]} {word}"
    return word if one.required else f"[{word}]"


def _word(one: Parameter) -> str:
    if isinstance(one.what, Option):
        return one.type.__name__.upper()
    many = "…" if one.many and not one.what.metavar.endswith("...") else ""
    return one.what.metavar.replace("...", "…") + many


if __name__ == "__main__":
    sys.stdout.write(page())
