"""exec and shell: run a command inside a unit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Annotated, Any, BinaryIO, TypeAlias

from envctl.cli import signals
from envctl.cli.arguments import TargetOrService, Unit
from envctl.cli.completions import complete_unit_and_command
from envctl.cli.declare import Argument, Option, takes_the_rest
from envctl.cli.invocation import Invocation
from envctl.errors import SpecError, UsageError

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.plan.target import Target as Goal

User: TypeAlias = Annotated[
    str | None,
    Option(
        (
            "--user",
            "-u",
        ),
        "Run as this user. Default: the service's user.",
    ),
]
Workdir: TypeAlias = Annotated[
    str | None,
    Option(
        (
            "--workdir",
            "-w",
        ),
        "Run the command in this folder.",
    ),
]
EnvironmentVariables: TypeAlias = Annotated[
    list[str] | None,
    Option(
        (
            "--env",
            "-e",
        ),
        "Set an environment variable, NAME=VALUE. Repeatable.",
    ),
]
Terminal: TypeAlias = Annotated[
    bool | None,
    Option(
        ("-t/-T",),
        "Allocate a terminal, or do not. Default: allocate one if standard input is one.",
    ),
]
_SHELL = "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh"


@takes_the_rest
def execute(
    invocation: Invocation,
    words: Annotated[
        list[str],
        Argument(
            "[TARGET] [UNIT] -- COMMAND...",
            "TARGET is ENV or ENV@BACKEND, by default as for other commands. UNIT is a service or a replica (web-2),"
            " optional before `--` if there is only one service. COMMAND is the command and its arguments.",
            complete_unit_and_command,
        ),
    ],
    *,
    tty: Terminal = None,
    user: User = None,
    workdir: Workdir = None,
    env: EnvironmentVariables = None,
) -> int:
    """Run a command inside a running unit.

    Standard input is passed to the command, and its exit code is returned. Options go before TARGET. If envctl is
    interrupted or terminated, or its output is closed, the command in the unit is terminated too.

    Examples:
        envctl exec dev web -- ls -l
        envctl exec -u root dev web -- apt-get install strace
    """
    target = None if words[0] == "--" else words[0]
    goal, named = invocation.target_and_services(target, None)
    others = words[1:] if target else words
    unit, argv = split(others, unit=named[0] if named else "", target=target or str(goal))
    name = unit or _only_unit(invocation, goal)
    settings = settings_of(tty=tty, user=user, workdir=workdir, env=env)
    return _run(invocation, goal, name, argv, **settings)


def shell(
    invocation: Invocation, target: TargetOrService = None, unit: Unit = None, *, user: User = None
) -> int:
    """Open a shell inside a unit: bash if it is installed, otherwise sh.

    Examples:
        envctl shell dev
        envctl shell dev web -u root
    """
    goal, units = invocation.target_and_services(target, [unit] if unit else None)
    if len(units) > 1:
        raise UsageError(f"a shell opens in one unit, not in {' and '.join(units)}")
    name = units[0] if units else _only_unit(invocation, goal)
    argv = ("/bin/sh", "-c", _SHELL)
    return _run(invocation, goal, name, argv, tty=_on_terminal(), user=user)


def split(words: Sequence[str], *, unit: str = "", target: str = "") -> tuple[str, tuple[str, ...]]:
    """Unit ("" if none is named) and command in `[UNIT] -- COMMAND…` or `UNIT COMMAND…`, the words after TARGET.

    `unit` is the unit's name if it was already given in the position of TARGET.
    """
    argv = list(words)
    if not unit and argv and not argv[0].startswith("-"):
        unit = argv.pop(0)
    if argv and argv[0] == "--":
        argv = argv[1:]
    elif argv and argv[0].startswith("-"):
        named = " ".join(dict.fromkeys(filter(None, (target, unit or "UNIT"))))
        raise UsageError(
            f"{argv[0]} comes after {unit or target}: options go before TARGET",
            hint=f"envctl exec {argv[0]} … {named} -- COMMAND…",
        )
    if not argv:
        raise UsageError("no command given", hint="envctl exec [TARGET] UNIT -- COMMAND…")
    return unit, tuple(argv)


def _environment(assignments: Sequence[str]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--env {text!r} is not of the form NAME=VALUE")
        variables[name] = value
    return variables


def _only_unit(invocation: Invocation, goal: Goal) -> str:
    """The name of the environment's only service."""
    try:
        services = invocation.project.resolved(goal.environment).data["services"]
    except SpecError as error:
        raise UsageError(
            "no service named", hint="the spec has mistakes, so name the service"
        ) from error
    names = [name for name, service in services.items() if service["kind"] == "service"]
    if not names:
        tasks = ", ".join(services)
        raise UsageError(
            f"{goal.environment} has only tasks", hint=f"name one that is running: {tasks}"
        )
    if len(names) != 1:
        raise UsageError("no service named", hint=f"name one of: {', '.join(names)}")
    return names[0]


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def settings_of(
    *, tty: bool | None, user: str | None, workdir: str | None, env: Sequence[str] | None
) -> dict[str, Any]:
    """How to run a command, from the options on the command line."""
    return {
        "tty": _on_terminal() if tty is None else tty,
        "user": user,
        "workdir": workdir,
        "env": _environment(env or ()),
    }


def _run(
    invocation: Invocation, goal: Goal, unit: str, argv: tuple[str, ...], **settings: Any
) -> int:
    from envctl.verbs import exec as verb

    def execute_in_unit(execution: Execution) -> int:
        return verb.execute(invocation.project, goal, unit, execution)

    return with_streams(invocation, unit, argv, execute_in_unit, **settings)


def with_streams(
    invocation: Invocation,
    unit: str,
    argv: tuple[str, ...],
    run: Callable[[Execution], int],
    **settings: Any,
) -> int:
    """Run a command with this process's streams; its exit code. A signal that ends envctl ends the command first."""
    from envctl.backends.base import Execution

    execution = Execution(
        argv,
        stdin=_stdin(),
        stdout=_writer(sys.stdout),
        stderr=_writer(sys.stderr),
        **settings,
    )
    with signals.raised():
        try:
            return run(execution)
        except (signals.Terminated, KeyboardInterrupt, OSError) as error:
            for note in getattr(error, "__notes__", ()):
                invocation.note(f"{unit}: `{execution.shown}`: {note}")
            if isinstance(error, signals.Terminated):
                return error.exit_code
            raise


def _stdin() -> BinaryIO | None:
    """Standard input, unbuffered: a thread that still reads a buffered stream would block the exit."""
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (OSError, ValueError, AttributeError):
        return None


def _writer(stream: IO[str]) -> Callable[[bytes], object]:
    """A function that writes bytes unchanged and unbuffered."""
    stream.flush()
    descriptor = stream.fileno()

    def write(data: bytes) -> None:
        unwritten = memoryview(data)
        while unwritten:
            unwritten = unwritten[os.write(descriptor, unwritten) :]

    return write
