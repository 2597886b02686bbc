"""`run`: run a command in a one-off of a service, or run a task again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

from envctl.backends.base import Execution, LogLine, RunsOneOffs
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.changes import Action
from envctl.plan.model import Plan, Unit
from envctl.plan.state import Observed
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.build import make_builds
from envctl.verbs.supported import unsupported
from envctl.verbs.up import UpRequest, bring_up


def run(
    project: Project,
    target: Target,
    service: str,
    execution: Execution,
    *,
    dependencies: bool = True,
    attached: Callable[[], object] = lambda: None,
) -> int:
    """Run a command in a one-off of a service and return its exit code. Brings up its dependencies first.

    `attached` is called just before the command starts.
    """
    session = Session(project, target, services=(service,))
    unit = _unit(session.select((service,)), service)
    backend = session.backend
    if not isinstance(backend, RunsOneOffs):
        raise unsupported(backend, "run")
    with ExitStack() as held:
        # Release the lock as soon as the one-off has what it needs, so that others can change the environment.
        held.enter_context(session.locked())
        is_ready = False

        def request(_session: Session, _observed: Observed) -> UpRequest:
            return UpRequest(_to_bring_up(session, service, dependencies=dependencies))

        bring_up(session, request=request)
        unit = _unit(session.select((service,)), service)
        if backend.one_off_needs_build(unit):
            make_builds(session, {unit.name})

        def ready() -> None:
            nonlocal is_ready
            held.close()
            is_ready = True
            attached()

        def alone() -> AbstractContextManager[None]:
            return session.locked() if is_ready else nullcontext()

        return backend.run_one_off(unit, execution, ready, alone)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """How a repeated task ended; `failure` is its error, if it failed."""

    exit_code: int
    failure: EnvctlError | None = None


def is_task(project: Project, target: Target, service: str) -> bool:
    """Whether the spec has a task of this name."""
    services = project.resolved(target.environment, allow_missing_files=True).data["services"]
    return service in services and services[service]["kind"] == "task"


def run_task(project: Project, target: Target, task: str, *, dependencies: bool = True) -> TaskRun:
    """Run a task again and record it in the environment, as `up` does. Brings up its dependencies first."""
    session = Session(project, target, services=(task,))
    with session.locked():
        unit = _unit(session.select((task,)), task)
        forced = {unit.name: (Action.REPLACE, "you asked for it")}

        def request(_session: Session, _observed: Observed) -> UpRequest:
            plan = _to_bring_up(session, task, dependencies=dependencies, include_own=True)
            return UpRequest(plan, forced=forced)

        try:
            bring_up(session, request=request)
        except EnvctlError as error:
            state = session.backend.observe().units.get(unit.name)
            if state is None or not state.status.is_over or not state.exit_code:
                raise
            return TaskRun(state.exit_code, error)
        return TaskRun(0)


def task_output(project: Project, target: Target, task: str) -> Iterator[LogLine]:
    """The output of a task; nothing on a simulated backend."""
    backend = Session(project, target).backend
    if backend.capabilities.executes:
        yield from backend.logs((task,))


def _unit(plan: Plan, service: str) -> Unit:
    """The first unit of a service."""
    return plan.replicas(service)[0]


def _to_bring_up(
    session: Session, service: str, *, dependencies: bool, include_own: bool = False
) -> Plan:
    """What must be up: the service's dependencies, and with `include_own` the service itself."""
    plan = session.select((service,))
    units = tuple(
        unit
        for unit in plan.units
        if (unit.service == service and include_own) or (unit.service != service and dependencies)
    )
    return replace(plan, units=units)
