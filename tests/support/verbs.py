"""The verbs of a project as methods, as a test calls them: `workspace.up(target)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from envctl.lock.frozen import FrozenBuilds
from envctl.plan.changes import Change
from envctl.plan.model import Plan
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.adopt import adopt_environment
from envctl.verbs.build import build
from envctl.verbs.cp import copy_from, copy_to
from envctl.verbs.describe import describe
from envctl.verbs.diff import diff
from envctl.verbs.down import down
from envctl.verbs.exec import execute
from envctl.verbs.facts import facts
from envctl.verbs.lock import check_lock, freeze, lock
from envctl.verbs.logs import logs
from envctl.verbs.plan import decide, plan
from envctl.verbs.pull import pull
from envctl.verbs.render import render, write_render
from envctl.verbs.restart import restart
from envctl.verbs.run import run, run_task
from envctl.verbs.running_units import lost_environment
from envctl.verbs.status import status
from envctl.verbs.stop import stop
from envctl.verbs.top import top
from envctl.verbs.trust import host_access
from envctl.verbs.up import up
from envctl.verbs.validate import validate
from envctl.verbs.verify import verify


def changes(project: Project, target: Target) -> tuple[Plan, tuple[Change, ...]]:
    """The plan, and what `up` would do now."""
    decision = decide(project, target)
    return decision.plan, decision.changes


def observed(project: Project, target: Target) -> Observed:
    """What exists of a target, as its backend sees it."""
    return Session.of_existing(project, target).observe()


def frozen(
    project: Project, *, services: Sequence[str] = (), offline: bool = False
) -> tuple[Session, FrozenBuilds]:
    """A session of `dev` whose builds are locked, and those builds."""
    return freeze(Session(project, Target("dev"), services=services), offline=offline)


VERBS: Mapping[str, Callable[..., Any]] = {
    "adopt": adopt_environment,
    "build": build,
    "changes": changes,
    "check_lock": check_lock,
    "copy_from": copy_from,
    "copy_to": copy_to,
    "describe": describe,
    "diff": diff,
    "down": down,
    "exec": execute,
    "facts": facts,
    "frozen": frozen,
    "lock": lock,
    "logs": logs,
    "lost": lost_environment,
    "observed": observed,
    "open": Session,
    "plan": plan,
    "pull": pull,
    "host_accesses": host_access,
    "render": render,
    "restart": restart,
    "run": run,
    "run_task": run_task,
    "status": status,
    "stop": stop,
    "top": top,
    "up": up,
    "validate": validate,
    "verify": verify,
    "write_render": write_render,
}


class Workspace:
    """A project, with the verbs as methods; everything else is the project's."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def __getattr__(self, name: str) -> Any:
        verb = VERBS.get(name)
        return partial(verb, self.project) if verb else getattr(self.project, name)
