"""watch: update running units as files of the project are saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import Option
from envctl.cli.invocation import Invocation
from envctl.cli.live_output import keep_watching, print_json
from envctl.cli.up import Yes

if TYPE_CHECKING:
    from envctl.plan.target import Target as Goal


def watch(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    explain: Annotated[
        bool,
        Option(("--explain",), "Show which files lead to what, and end."),
    ] = False,
    yes: Yes = False,
    as_json: Annotated[bool, Option(("--json",), "Print a JSON object per line.")] = False,
) -> None:
    """Bring files into running units as they are saved, until interrupted.

    Files of the last `copy` and `template` steps of a build are put in place, with the owner and mode of the step;
    removed files are removed. Files that a later `run`, `pip` or `npm` step may use, and those of a Dockerfile, lead to a
    rebuild: the unit is replaced, as by `up`. Mounted files are visible at once. After a change in a path of `restart_on`
    the service is restarted. At the start, it also brings in what was saved since the unit was created.

    Changes of the spec wait for `up`; tasks do not run again. What is excluded from a copy is left alone.

    Examples:
        envctl watch dev
        envctl watch dev web --explain

    JSON: an object per line with `unit`, `what` (`synced`, `rebuilt`, `restarted`, `waits`, `failed`), `paths`, `cause`,
    `seconds` and `hint`; with --explain with `files`, `unit`, `effect` (`synced`, `rebuilt`, `visible`, `restarted`), `why`
    and `where`.
    """
    invocation.yes = yes
    goal, selected = invocation.target_and_services(target, services)
    if explain:
        _explain(invocation, goal, selected, as_json=as_json)
    else:
        keep_watching(invocation, goal, selected, as_json=as_json)


def _explain(invocation: Invocation, goal: Goal, services: Sequence[str], *, as_json: bool) -> None:
    from envctl.verbs import watcher as verb

    routes = verb.explain(invocation.project, goal, services)
    if as_json:
        for route in routes:
            where = str(route.where) if route.where else None
            print_json(invocation, {**asdict(route), "where": where})
        return
    rows = [
        (route.files, route.unit, route.effect, route.why, str(route.where or ""))
        for route in routes
    ]
    if rows:
        invocation.out.table(rows, head=("FILES", "UNIT", "EFFECT", "WHY", "WHERE"), styles={})
    else:
        invocation.out.line("no files of the project are in its units")
