"""top: show the processes of units."""

from __future__ import annotations

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import AsJson
from envctl.cli.invocation import Invocation

_HEAD = ("UNIT", "PID", "USER", "MEMORY", "TIME", "COMMAND")


def top(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the processes of running units.

    PID is the process ID outside the unit: on this host for a container, in its machine otherwise. MEMORY is the RAM
    that a process uses, TIME the CPU time that it has used. The image needs no `ps`.

    Examples:
        envctl top dev
        envctl top dev web --json

    JSON: a list of objects with `unit`, `pid`, `user` (a number), `memory` (bytes), both null if unknown, `time` and
    `command`.
    """
    goal, selected = invocation.target_and_services(target, services)
    from envctl.plan.text import rough_size
    from envctl.verbs import top as verb

    by_unit = verb.top(invocation.project, goal, selected)
    if as_json:
        keys = ("pid", "user", "memory", "time", "command")
        invocation.json(
            [
                {"unit": unit, **{key: getattr(process, key) for key in keys}}
                for unit, processes in by_unit.items()
                for process in processes
            ]
        )
        return
    users = verb.user_names(invocation.project, goal)
    rows = [
        (
            unit,
            str(process.pid),
            users.get(process.user, str(process.user)) if process.user is not None else "",
            rough_size(process.memory) if process.memory is not None else "",
            process.time,
            process.command,
        )
        for unit, processes in by_unit.items()
        for process in processes
    ]
    invocation.out.table(rows, head=_HEAD)
