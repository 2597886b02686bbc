"""Shows what `watch` does with units as files are saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from envctl.cli.invocation import Invocation
from envctl.cli.output import counted

if TYPE_CHECKING:
    from envctl.plan.target import Target as Goal
    from envctl.verbs.watcher import WatchOutcome

_SHOWN: Final = 3
"""The number of paths on a line."""
_STYLES: Final = {"synced": "green", "rebuilt": "green", "restarted": "green", "failed": "red"}


def keep_watching(
    invocation: Invocation, goal: Goal, services: Sequence[str], *, as_json: bool
) -> None:
    """Print what happens to units as files are saved, until interrupted."""
    from envctl.verbs import watcher as verb

    with suppress(KeyboardInterrupt):
        for outcome in verb.watch(invocation.project, goal, services):
            invocation.reporter.pause()
            if outcome is None:
                invocation.note(f"{goal.environment} has the project's files; waiting for changes")
            elif as_json:
                print_json(invocation, asdict(outcome))
            else:
                _show(invocation, outcome)


def _show(invocation: Invocation, outcome: WatchOutcome) -> None:
    out = invocation.out
    unit = f"{out.safe(outcome.unit)}: " if outcome.unit else ""
    detail = out.safe(_detail(outcome))
    seconds = f" in {outcome.seconds:.1f} s" if outcome.seconds else ""
    out.line(
        f"{unit}{out.paint(outcome.what, _STYLES.get(outcome.what, 'yellow'))}{detail}{seconds}"
    )
    if outcome.hint:
        out.line(out.safe(f"    hint: {outcome.hint}"))


def _detail(outcome: WatchOutcome) -> str:
    """The number of files and their names, or the reason."""
    if outcome.cause:
        return f": {outcome.cause}"
    more = f" and {len(outcome.paths) - _SHOWN} more" if len(outcome.paths) > _SHOWN else ""
    names = ", ".join(outcome.paths[:_SHOWN])
    return f" {counted(len(outcome.paths), 'file', 'files')}: {names}{more}" if names else ""


def print_json(invocation: Invocation, data: object) -> None:
    """Print an object as JSON on one line."""
    invocation.out.file.write(json.dumps(data) + "\n")
    invocation.out.file.flush()
