"""run: run a one-off command, or a task again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.completions import complete_unit_and_command
from envctl.cli.declare import Argument, Option, takes_the_rest
from envctl.cli.exec import (
    EnvironmentVariables,
    Terminal,
    User,
    Workdir,
    settings_of,
    with_streams,
)
from envctl.cli.invocation import Invocation
from envctl.cli.up import Yes
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.backends.base import Execution
    from envctl.plan.target import Target as Goal


@takes_the_rest
def run(
    invocation: Invocation,
    words: Annotated[
        list[str],
        Argument(
            "[TARGET] SERVICE [-- COMMAND...]",
            "TARGET is ENV or ENV@BACKEND, by default as for other commands. Without COMMAND, runs the service's own.",
            complete_unit_and_command,
        ),
    ],
    *,
    no_deps: Annotated[
        bool, Option(("--no-deps",), "Do not bring up what the service depends on.")
    ] = False,
    tty: Terminal = None,
    user: User = None,
    workdir: Workdir = None,
    env: EnvironmentVariables = None,
    yes: Yes = False,
) -> int:
    """Run a command in a one-off of a service, or run a task again.

    The one-off is a separate container, with the service's image, user, environment, network, mounts, volumes and
    secrets, but without its ports; nothing is left of it when the command has ended or envctl is interrupted. The
    service itself is not touched and need not be up. In virtual machines, the command runs beside the service in its
    machine; if that does not exist, in a machine that is made for it and removed afterwards, and if it is shut off, it
    is on for as long as the command runs. What the service depends on is brought up, unless --no-deps is given.

    Standard input is passed to the command, and its exit code is returned. Options go before TARGET.

    With the name of a task and no COMMAND, the task runs again and the environment records it, as if `up` had run it.

    Examples:
        envctl run dev web -- python manage.py migrate
        envctl run dev seed
    """
    invocation.yes = yes
    goal, named = invocation.target_and_services(words[0], None)
    after_target = words if named else words[1:]
    service, argv = split_words(after_target, target="" if named else words[0])
    from envctl.verbs import run as verb

    if not argv and verb.is_task(invocation.project, goal, service):
        return _run_task(invocation, goal, service, dependencies=not no_deps)

    def run_one_off(execution: Execution) -> int:
        return verb.run(
            invocation.project,
            goal,
            service,
            execution,
            dependencies=not no_deps,
            attached=invocation.reporter.pause,
        )

    settings = settings_of(tty=tty, user=user, workdir=workdir, env=env)
    return with_streams(invocation, service, argv, run_one_off, **settings)


def _run_task(invocation: Invocation, goal: Goal, task: str, *, dependencies: bool) -> int:
    from envctl.verbs import run as verb

    done = verb.run_task(invocation.project, goal, task, dependencies=dependencies)
    invocation.reporter.pause()
    for line in verb.task_output(invocation.project, goal, task):
        invocation.out.text(line.text)
    if done.failure is not None:
        invocation.note(f"error: {done.failure.brief}")
    return done.exit_code


def split_words(words: Sequence[str], *, target: str = "") -> tuple[str, tuple[str, ...]]:
    """Service and command of `SERVICE [--] [COMMAND…]`, the words after TARGET."""
    service, *argv = words or ("--",)
    if service == "--":
        raise UsageError("no service named", hint="envctl run [TARGET] SERVICE -- COMMAND…")
    misplaced = next((word for word in (service, *argv[:1]) if word.startswith("-")), "--")
    if misplaced != "--":
        named = " ".join(filter(None, (target, "SERVICE")))
        raise UsageError(
            f"{misplaced} comes too late: options go before TARGET and SERVICE",
            hint=f"envctl run {misplaced} … {named} -- COMMAND…",
        )
    return service, tuple(argv[1:] if argv[:1] == ["--"] else argv)
