"""A unit's hooks, run inside it."""

from __future__ import annotations

from collections.abc import Sequence

from envctl.backends.base import Backend, Execution, NotRunningError, RecordsHooks
from envctl.backends.common.capped import CappedBuffer
from envctl.errors import EnvctlError, Place, Problem
from envctl.plan.exit_state import exit_text
from envctl.plan.hooks import digests, first_due, place
from envctl.plan.model import Plan, Unit
from envctl.plan.state import UnitState
from envctl.plan.text import argv_text
from envctl.progress import Progress, Report, Stage

HOOK_TIMEOUT = 300.0
_MOST_OUTPUT = 256 * 1024


class HookError(EnvctlError):
    """A hook failed; the details are its output."""


def unsupported(plan: Plan, backend: Backend) -> Sequence[Problem]:
    """Return the problems of `after_start` hooks on a backend that does not record which have run."""
    if isinstance(backend, RecordsHooks):
        return ()
    return tuple(
        Problem(
            place(unit, 0) or Place("envctl.yaml", 1, 1),
            f"backend {backend.name!r} does not support after_start hooks",
            hint="run the command by hand: `envctl exec`; or use another backend",
        )
        for unit in plan.units
        if unit.hooks.after_start
    )


def are_due(unit: Unit, state: UnitState | None) -> bool:
    """Whether `after_start` hooks have to run."""
    return state is not None and first_due(unit, state) < len(unit.hooks.after_start)


def after_start(unit: Unit, state: UnitState, backend: Backend, report: Report) -> None:
    """Run those after_start hooks that are due, in order; the first that fails ends it, with a HookError."""
    names, hooks = digests(unit), unit.hooks.after_start
    for index in range(first_due(unit, state), len(hooks)):
        # Separate work, so that its start is shown.
        work = f"after_start hook {index + 1} of {unit.name}"
        report(Progress(work, Stage.STARTED))
        failure, output = _run(backend, unit, names[index], hooks[index])
        report(Progress(work, Stage.FAILED if failure else Stage.DONE, failure))
        if failure:
            text = f"after_start hook {index + 1} ({argv_text(hooks[index])})"
            raise HookError(f"{text} {failure}", details=output, where=place(unit, index))


def _run(backend: Backend, unit: Unit, name: str, argv: Sequence[str]) -> tuple[str, str]:
    """Run a hook and record it under this name. Returns the failure, or "", and the output."""
    execution, output = _execution(argv)
    try:
        assert isinstance(backend, RecordsHooks)  # no plan with such hooks is made for another one
        code = backend.run_hook(unit.name, name, execution)
    except EnvctlError as error:
        return f"failed: {error.brief}", output.text
    return f"ended with {exit_text(code)}" if code else "", output.text


def before_stop(unit: Unit, backend: Backend, report: Report, *, reachable: bool = True) -> None:
    """Run before_stop hooks. One that fails is reported, and the unit stops all the same.

    A unit that is not `reachable` is not waited for.
    """
    if unit.hooks.before_stop and not reachable:
        text = "its before_stop hooks are not run: it is unreachable"
        report(Progress(f"stop {unit.name}", Stage.NOTE, text))
        return
    for number, argv in enumerate(unit.hooks.before_stop, 1):
        try:
            code = backend.exec(unit.name, _execution(argv)[0])
            failure = f"ended with {exit_text(code)}" if code else ""
        except NotRunningError:
            # It does not run: there is nothing to prepare for a stop.
            return
        except EnvctlError as error:
            failure = f"failed: {error.brief}"
        if failure:
            text = f"before_stop hook {number} ({argv_text(argv)}) {failure}"
            report(Progress(f"stop {unit.name}", Stage.NOTE, text))


def _execution(argv: Sequence[str]) -> tuple[Execution, CappedBuffer]:
    output = CappedBuffer(_MOST_OUTPUT)
    return Execution(tuple(argv), stdout=output, stderr=output, timeout=HOOK_TIMEOUT), output
