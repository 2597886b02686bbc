"""Commands that run something inside a unit: exec, shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Annotated, Any, BinaryIO, TypeAlias

from envctl.cli import signals
from envctl.cli.arguments import Target, Unit, complete_target
from envctl.cli.declare import Argument, Option, takes_the_rest
from envctl.cli.invocation import Invocation
from envctl.errors import SpecError, UsageError

if TYPE_CHECKING:
    from envctl.plan.target import Target as Goal

User: TypeAlias = Annotated[
    str | None,
    Option(
        (
            "--user",
            "-u",
        ),
        "Run as this user, not the service's own.",
    ),
]
_SHELL = "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh"


@takes_the_rest
def execute(
    invocation: Invocation,
    words: Annotated[
        list[str],
        Argument(
            "TARGET [UNIT] -- COMMAND...",
            "TARGET is ENV or ENV@BACKEND. UNIT is a service or a replica (web-2); it may be left"
            " out, before `--`, if there is one service. Then the command and its arguments.",
            complete_target,
        ),
    ],
    *,
    tty: Annotated[
        bool | None,
        Option(("-t/-T",), "With a terminal or without; by default if there is one here."),
    ] = None,
    user: User = None,
    workdir: Annotated[
        str | None,
        Option(
            (
                "--workdir",
                "-w",
            ),
            "Run in this folder.",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        Option(
            (
                "--env",
                "-e",
            ),
            "Set an environment variable, NAME=VALUE. Repeatable.",
        ),
    ] = None,
) -> int:
    """Run a command inside a unit that is up.

    Its exit code is passed on. Options stand before TARGET. Standard input is passed to the command. If this is
    interrupted or terminated, or nobody reads what it prints, the command is ended inside.
    """
    target, unit, argv = split(words)
    goal = invocation.target(target)
    name = unit or _only_unit(invocation, goal)
    terminal = _on_terminal() if tty is None else tty
    settings = {"user": user, "workdir": workdir, "env": _environment(env or ())}
    return _run(invocation, goal, name, argv, terminal=terminal, **settings)


def shell(
    invocation: Invocation, target: Target = None, unit: Unit = None, *, user: User = None
) -> int:
    """Open a shell inside a unit: bash, or sh where there is none."""
    goal = invocation.target(target)
    name = unit or _only_unit(invocation, goal)
    argv = ("/bin/sh", "-c", _SHELL)
    return _run(invocation, goal, name, argv, terminal=_on_terminal(), user=user)


def split(words: Sequence[str]) -> tuple[str, str | None, tuple[str, ...]]:
    """Target, unit and command of `TARGET [UNIT] -- COMMAND…` or `TARGET UNIT COMMAND…`."""
    target, *rest = words
    unit = None
    if rest and not rest[0].startswith("-"):
        unit, *rest = rest
    if rest and rest[0] == "--":
        rest = rest[1:]
    elif rest and rest[0].startswith("-"):
        raise UsageError(
            f"{rest[0]} stands behind {unit or target}: options stand before TARGET",
            hint=f"envctl exec {rest[0]} … {' '.join(filter(None, [target, unit or 'UNIT']))} -- COMMAND…",
        )
    if not rest:
        raise UsageError("which command?", hint="envctl exec ENV UNIT -- COMMAND…")
    return target, unit, tuple(rest)


def _environment(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--env {text!r} is not NAME=VALUE")
        found[name] = value
    return found


def _only_unit(invocation: Invocation, goal: Goal) -> str:
    """The environment's one service."""
    try:
        services = invocation.project.resolved(goal.environment).data["services"]
    except SpecError as error:
        raise UsageError("which service?", hint="the spec has problems, so name it") from error
    names = [name for name, service in services.items() if service["kind"] == "service"]
    if not names:
        tasks = ", ".join(services)
        raise UsageError(
            f"{goal.environment} has only tasks", hint=f"name one while it runs: {tasks}"
        )
    if len(names) != 1:
        raise UsageError("which service?", hint=f"there is {', '.join(names)}")
    return names[0]


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _run(
    invocation: Invocation,
    goal: Goal,
    unit: str,
    argv: tuple[str, ...],
    *,
    terminal: bool,
    **settings: Any,
) -> int:
    from envctl.backends.base import Execution

    execution = Execution(
        argv,
        tty=terminal,
        stdin=_stdin(),
        stdout=_writer(sys.stdout),
        stderr=_writer(sys.stderr),
        **settings,
    )
    with signals.raised():
        try:
            return invocation.project.exec(goal, unit, execution)
        except (signals.Terminated, KeyboardInterrupt, OSError) as error:
            for note in getattr(error, "__notes__", ()):
                invocation.note(f"{unit}: `{execution.shown}`: {note}")
            if isinstance(error, signals.Terminated):
                return error.exit_code
            raise


def _stdin() -> BinaryIO | None:
    """Standard input unbuffered: a thread that still reads it must not hinder the exit."""
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (OSError, ValueError, AttributeError):
        return None


def _writer(stream: IO[str]) -> Callable[[bytes], object]:
    """Write bytes as they are, and at once."""
    stream.flush()
    descriptor = stream.fileno()

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write
