"""Applies changes in parallel: each when the changes it needs are done and its dependencies are ready.

One loop in the caller's thread decides what is due. Changes, probes and hooks run in daemon threads, so
an interrupt ends the process at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from envctl.backends.base import Backend
from envctl.errors import EnvctlError
from envctl.plan.changes import Action, Change
from envctl.plan.model import Plan, Unit
from envctl.plan.state import Observed, Status
from envctl.progress import Progress, Report, Stage
from envctl.reconcile import run_hooks
from envctl.reconcile.change_progress import Phase
from envctl.reconcile.readiness_watcher import ReadinessWatcher
from envctl.reconcile.work_results import WorkResults

WORKERS = 12

_VERBS: Mapping[Action, str] = {
    Action.BUILD: "build",
    Action.CREATE: "start",
    Action.REPLACE: "replace",
    Action.RECONFIGURE: "reconfigure",
    Action.START: "start",
    Action.RESTART: "restart",
    Action.HOOK: "run the hooks of",
    Action.STOP: "stop",
    Action.REMOVE: "remove",
    Action.DELETE_VOLUME: "delete volume",
    Action.TEAR_DOWN: "remove network",
}

_ENDS = (Action.STOP, Action.REMOVE, Action.REPLACE, Action.RESTART)


def _same_error(error: EnvctlError) -> EnvctlError:
    return error


def _same_text(text: str) -> str:
    return text


def apply_changes(
    changes: Sequence[Change],
    backend: Backend,
    report: Report,
    *,
    observed: Observed | None = None,
    mask: Callable[[str], str] = _same_text,
) -> None:
    """Apply changes in the order of their needs, without waiting until anything is ready.

    `observed` is the state that they were decided on; messages of failures pass through `mask`. Raises what failed,
    after everything that could be done was done.
    """
    _Executor(changes, (), backend, report, observed=observed, mask=mask).run()


def bring_up(
    changes: Sequence[Change],
    plan: Plan,
    backend: Backend,
    report: Report,
    *,
    observed: Observed | None = None,
    mask: Callable[[str], str] = _same_text,
    explain: Callable[[EnvctlError], EnvctlError] = _same_error,
) -> Observed:
    """Apply changes and wait until every unit of the plan is ready: healthy, running or completed. Returns the state then.

    `observed` is the state that the changes were decided on; without changes the engine is not asked for it again.

    A unit is started when its dependencies have reached the condition it asks for. What does not
    depend on a failed unit goes on; failed units stay as they are, for inspection. What programs
    print passes through `mask` before it is shown: it may hold the value of a secret. `explain` may add to an error
    before it is raised.
    """
    executor = _Executor(
        changes, plan.units, backend, report, observed=observed, mask=mask, explain=explain
    )
    executor.run()
    last = executor.watcher.observed
    return last if last and not changes else backend.observe()


class _Executor:
    def __init__(
        self,
        changes: Sequence[Change],
        units: Sequence[Unit],
        backend: Backend,
        report: Report,
        *,
        observed: Observed | None = None,
        mask: Callable[[str], str] = _same_text,
        explain: Callable[[EnvctlError], EnvctlError] = _same_error,
    ) -> None:
        self._before = observed or Observed()
        self._backend, self._report = backend, report
        self._mask, self._explain = mask, explain
        self._waiting = {change.key: change for change in changes}
        """The changes that have not begun."""
        self._phases = dict.fromkeys(self._waiting, Phase.WAITING)
        self._results = WorkResults()
        self.watcher = ReadinessWatcher(
            units,
            backend,
            report,
            work_names={key: _work_name(change) for key, change in self._waiting.items()},
            results=self._results,
            observed=None if changes else observed,
            mask=mask,
        )

    def run(self) -> None:
        """Apply everything that can be applied. Raises what failed."""
        try:
            while True:
                self._start_due()
                self.watcher.observe()
                if self._is_settled():
                    break
                until_look = self.watcher.next_look - time.monotonic()
                pause = self.watcher.pause
                self._results.collect(timeout=min(pause, until_look) if until_look > 0 else pause)
        finally:
            self._results.close()
        self.watcher.recheck()
        _raise([self._explain(error) for error in self.watcher.failures])

    def _is_settled(self) -> bool:
        if self._results.active or self._waiting:
            return False
        over = (Phase.DONE, Phase.FAILED)
        return all(phase in over for phase in self._phases.values()) and self.watcher.is_settled

    def _start_due(self) -> None:
        for change in list(self._waiting.values()) if self._results.active < WORKERS else ():
            blocker = self._blocker(change)
            if blocker == "":
                self._begin(change)
                if self._results.active >= WORKERS:
                    break
            elif blocker is not None:
                self._give_up(change, blocker)

    def _blocker(self, change: Change) -> str | None:
        """Return the name of the failed dependency; "" if the change may start, None if it has to wait."""
        for need in change.needs:
            if self._phases.get(need) is Phase.FAILED:
                return need
            if self._phases.get(need, Phase.DONE) is not Phase.DONE:
                return None
        return self.watcher.blocker(change.target) if isinstance(change.target, Unit) else ""

    def _give_up(self, change: Change, blocker: str) -> None:
        self._phases[change.key] = Phase.FAILED
        del self._waiting[change.key]
        self._fail_unit(change)
        name = blocker.rpartition(":")[2]
        self._report(Progress(_work_name(change), Stage.FAILED, f"not done: {name} failed"))

    def _fail_unit(self, change: Change) -> None:
        # A build or a stop has another key: only the unit's own change decides the unit's state.
        if change.key == change.unit:
            self.watcher.give_up(change.unit)

    def _begin(self, change: Change) -> None:
        self._phases[change.key] = Phase.DOING
        del self._waiting[change.key]
        self._report(Progress(_work_name(change), Stage.STARTED))
        self._results.start(partial(self._apply, change), partial(self._applied, change))

    def _apply(self, change: Change) -> None:
        unit = change.target if isinstance(change.target, Unit) else None
        if unit and change.action in _ENDS:
            state = self._before.units.get(unit.name)
            reachable = state is None or state.status is not Status.UNREACHABLE
            run_hooks.before_stop(unit, self._backend, self._report, reachable=reachable)
        if change.action is not Action.HOOK:
            # The watcher runs hooks when the unit is ready.
            self._backend.apply(change)

    def _applied(self, change: Change, error: EnvctlError | None) -> None:
        if error is not None:
            self._phases[change.key] = Phase.FAILED
            self._fail_unit(change)
            error.brief, error.details = self._mask(error.brief), self._mask(error.details)
            # The reason is shown once, in the end, with everything that helps.
            self._report(Progress(_work_name(change), Stage.FAILED))
            self.watcher.failures.append(error)
            return
        self._phases[change.key] = Phase.DONE
        if not (change.key == change.unit and self.watcher.started(change.unit)):
            self._report(Progress(_work_name(change), Stage.DONE))


def _work_name(change: Change) -> str:
    return f"{_VERBS[change.action]} {change.unit}".rstrip()


def _raise(failures: Sequence[EnvctlError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise EnvctlError(
            f"{len(failures)} things failed",
            details="\n\n".join(str(error) for error in failures),
        )
