"""events: print what happens to units."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import Option
from envctl.cli.invocation import Invocation


def events(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    as_json: Annotated[bool, Option(("--json",), "Print a JSON object per line.")] = False,
) -> None:
    """Print what happens to units, until interrupted.

    Events: created, started, restarted, replaced, stopped (by envctl), exited, oom-killed, paused, restarting, removed,
    healthy, unhealthy, unreachable. The environment need not be up. Things that happen within a moment may be seen as
    one.

    Examples:
        envctl events dev
        envctl events dev web --json

    JSON: an object per line with `time`, `environment`, `unit`, `service`, `event` and `detail`.
    """
    goal, selected = invocation.target_and_services(target, services)
    from envctl.verbs import events as verb

    out = invocation.out
    with suppress(KeyboardInterrupt):
        for event in verb.events(invocation.project, goal, selected):
            if as_json:
                data = {"environment": goal.environment, **asdict(event)}
                out.file.write(json.dumps(data) + "\n")
                out.file.flush()
            else:
                text = f"{event.time}  {event.unit}  {event.event}  {event.detail}".rstrip()
                out.line(out.safe(text))
