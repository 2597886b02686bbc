"""Waits until units are ready: observes them, runs probes and hooks, and detects failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from envctl.backends.base import Backend
from envctl.backends.common.probe_results import NOT_ASKED
from envctl.errors import EnvctlError, Place
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Condition, Kind, Unit
from envctl.plan.state import Observed, Status, UnitState
from envctl.progress import Progress, Report, Stage
from envctl.reconcile import run_hooks
from envctl.reconcile.change_progress import Phase
from envctl.reconcile.failure_details import evidence, failure, quoted
from envctl.reconcile.readiness import PATIENCE, Readiness, allowance, ended_text, judge
from envctl.reconcile.work_results import WorkResults

SETTLE = 1.0
"""Seconds a unit without a probe has to live before `up` calls it started."""
DECISION_TIME = 10.0
"""Seconds that a machine's init may take to record how a process ended."""
TICK = 0.1
"""Seconds between two observations of an engine that answers at once."""
_FIRST_PAUSE = 0.1
"""Seconds after its start in which a unit is not probed yet."""


@dataclass(slots=True)
class _Watch:
    """A unit that must become ready, and its progress towards that."""

    unit: Unit
    phase: Phase = Phase.WAITING
    since: float = 0.0
    probing: bool = False
    next_probe: float = 0.0
    message: str = "not probed yet"
    state: UnitState | None = None


class ReadinessWatcher:
    """Watches units until each is ready or has failed; `failures` are the errors of those that failed.

    `work_names` has the pieces of work, by unit, that the report shows for units which change. With `observed`, what
    is known already, the engine is not asked for it again.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        backend: Backend,
        report: Report,
        *,
        work_names: Mapping[str, str],
        results: WorkResults,
        observed: Observed | None,
        mask: Callable[[str], str],
    ) -> None:
        self.failures: list[EnvctlError] = []
        self.observed: Observed | None = None
        self.pause = TICK
        """Seconds between two observations, if nothing happens meanwhile."""
        self.next_look = 0.0
        self._backend, self._report, self._mask = backend, report, mask
        self._work_names, self._results = work_names, results
        self._known = observed
        self._watches = {unit.name: _Watch(unit) for unit in units}
        self._services: dict[str, list[_Watch]] = {}
        for watch in self._watches.values():
            self._services.setdefault(watch.unit.service, []).append(watch)
            if watch.unit.name not in work_names:
                watch.phase, watch.since = Phase.DONE, time.monotonic()

    @property
    def is_settled(self) -> bool:
        """Whether no unit has to be waited for."""
        return all(watch.phase in (Phase.READY, Phase.FAILED) for watch in self._watches.values())

    def blocker(self, unit: Unit) -> str | None:
        """Return the dependency that failed; "" if all have reached their conditions, None if one has to be waited for."""
        if not self._watches:
            return ""
        for service, condition in unit.depends_on.items():
            for watch in self._services.get(service, ()):
                if watch.phase is Phase.FAILED:
                    return watch.unit.name
                # A unit with hooks counts as started when they have run.
                early = condition is Condition.STARTED and not watch.unit.hooks.after_start
                reached = (Phase.DONE, Phase.READY) if early else (Phase.READY,)
                if watch.phase not in reached:
                    return None
        return ""

    def started(self, name: str) -> bool:
        """Wait for this unit from now on; False if it is not watched."""
        watch = self._watches.get(name)
        if watch is not None:
            watch.phase, watch.since = Phase.DONE, time.monotonic()
            watch.next_probe = watch.since + _FIRST_PAUSE
        return watch is not None

    def give_up(self, name: str) -> None:
        """Mark a unit as failed without its own error: its change failed, or was not applied."""
        if name in self._watches:
            self._watches[name].phase = Phase.FAILED

    def observe(self) -> None:
        """Observe the units that are waited for, if it is time to."""
        before = time.monotonic()
        if before < self.next_look:
            return
        waiting = [watch for watch in self._watches.values() if watch.phase is Phase.DONE]
        if not waiting:
            return
        self.observed, self._known = self._known or self._backend.observe(), None
        now = time.monotonic()
        # An emulated machine is slow: most of its time is for its own work, not for our questions.
        self.pause = max(TICK, 2 * (now - before))
        self.next_look = now + 2 * (now - before)
        for watch in waiting:
            self._judge(watch, self.observed.units.get(watch.unit.name), now)

    def _judge(self, watch: _Watch, state: UnitState | None, now: float) -> None:
        readiness, text = judge(watch.unit, state, waited=now - watch.since)
        watch.state = state
        if readiness is Readiness.READY:
            self._ready(watch, text)
        elif readiness is Readiness.FAILED:
            self._fail(watch, text)
        elif readiness is Readiness.PROBE and not watch.probing and now >= watch.next_probe:
            watch.probing = True
            self._results.start(partial(self._probe, watch), partial(self._probed, watch))

    def _probe(self, watch: _Watch) -> None:
        healthy, watch.message = self._backend.probe(watch.unit)
        if not healthy:
            raise EnvctlError(watch.message)

    def _probed(self, watch: _Watch, error: EnvctlError | None) -> None:
        watch.probing = False
        if watch.phase is not Phase.DONE:
            return
        if error is None:
            self._ready(watch, "healthy")
            return
        watch.message = self._mask(str(error))
        now, probe = time.monotonic(), watch.unit.run.probe or PATIENCE
        watch.next_probe = now + probe.pause(now - watch.since)
        first_line = watch.message.strip().partition("\n")[0]
        self._report(Progress(f"start {watch.unit.name}", Stage.WORKING, first_line[:100]))
        allowed = allowance(probe)
        # An engine that runs probes by itself may not have begun to: that is no failure yet.
        patience = probe.interval + probe.timeout if watch.message == NOT_ASKED else 0.0
        if now - watch.since > allowed + patience:
            brief = f"it did not become healthy within {allowed:g} s"
            self._fail(watch, brief, output=quoted("probe", watch.message))

    def _ready(self, watch: _Watch, text: str) -> None:
        if watch.state is not None and run_hooks.are_due(watch.unit, watch.state):
            watch.phase = Phase.DOING
            hooks = partial(
                run_hooks.after_start, watch.unit, watch.state, self._backend, self._report
            )
            self._results.start(hooks, partial(self._hooked, watch, text))
            return
        watch.phase = Phase.READY
        if watch.unit.name in self._work_names:
            self._report(Progress(self._work_name(watch), Stage.DONE, text))

    def _hooked(self, watch: _Watch, text: str, error: EnvctlError | None) -> None:
        if error is not None:
            output = quoted("the hook printed", error.details)
            self._fail(watch, error.brief, output=output, where=error.where)
            return
        watch.phase = Phase.READY
        self._report(Progress(self._work_name(watch), Stage.DONE, text))

    def _work_name(self, watch: _Watch) -> str:
        return self._work_names.get(watch.unit.name, f"start {watch.unit.name}")

    def _fail(
        self, watch: _Watch, brief: str, *, output: str = "", where: Place | None = None
    ) -> None:
        """Mark a unit as failed; `where` is the place of the cause, if it is not the whole service's."""
        watch.phase = Phase.FAILED
        name, where = watch.unit.name, where or watch.unit.where
        self._report(Progress(self._work_name(watch), Stage.FAILED))
        details = evidence(self._backend, name, output)
        self.failures.append(
            failure(name, brief, details=details, state=watch.state, where=where, mask=self._mask)
        )

    def recheck(self) -> None:
        """A unit that was ready and has exited while others came up is a failure after all.

        One without a probe has to have lived for a moment: it may be about to find out that its
        configuration is wrong.
        """
        started = [
            watch
            for name, watch in self._watches.items()
            if watch.phase is Phase.READY
            and name in self._work_names
            and watch.unit.kind is not Kind.TASK
        ]
        if not started:
            return
        if self._backend.capabilities.executes:
            unproven = [watch.since for watch in started if watch.unit.run.probe is None]
            time.sleep(max(0.0, max(unproven, default=0.0) + SETTLE - time.monotonic()))
        states = self._decided_states([watch.unit.name for watch in started])
        for watch in started:
            state = states.get(watch.unit.name)
            if state is None:
                self._fail(watch, "it is gone")
            elif state.status is Status.UNKNOWN:
                reason = state.cause or "no reason is given"
                self._fail(watch, f"whether it runs is unknown: {reason}")
            elif state.status.is_over or state.status is Status.RESTARTING:
                watch.state = state
                self._fail(watch, f"{ended_text(state)} after it had started")

    def _decided_states(self, names: Sequence[str]) -> Mapping[str, UnitState]:
        """Return the states of these units, after waiting a few seconds at most for units that are just ending."""
        end = time.monotonic() + DECISION_TIME
        while True:
            states = self._backend.observe().units
            unknown = any(states[name].status is Status.UNKNOWN for name in names if name in states)
            if not unknown or time.monotonic() > end:
                return states
            time.sleep(TICK)
