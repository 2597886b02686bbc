"""Changes carried out: in parallel, each when what it needs is done and what it depends on is ready.

One loop in the caller's thread decides what is due; changes and probes run in daemon threads, so
that an interrupt ends the process at once, whatever an engine is busy with.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial

from envctl.backends.base import Backend
from envctl.backends.common.probe_answers import NOT_ASKED
from envctl.errors import EnvctlError, Place
from envctl.host.worker_threads import Crew
from envctl.lazy_dataclass import dataclass
from envctl.plan.changes import Action, Change
from envctl.plan.model import Condition, Kind, Plan, Unit
from envctl.plan.state import Observed, Status, UnitState
from envctl.progress import Progress, Report, Stage
from envctl.reconcile import run_hooks
from envctl.reconcile.failure_details import evidence, failure, quoted
from envctl.reconcile.readiness import PATIENCE, Readiness, allowance, ended_text, judge

WORKERS = 12
SETTLE = 1.0
"""Seconds a unit without a probe has to live before `up` calls it started."""
DECISION_TIME = 10.0
"""Seconds that a machine's init may take to note how a process ended."""
_TICK = 0.1
_FIRST_PAUSE = 0.1
"""Seconds after its start in which a unit is not asked yet."""

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


class Phase(Enum):
    """How far a change or a unit has come."""

    WAITING = "waiting"
    DOING = "doing"
    DONE = "done"
    READY = "ready"
    FAILED = "failed"


@dataclass(slots=True)
class _Watch:
    """A unit that must become ready, and what is known about that."""

    unit: Unit
    phase: Phase = Phase.WAITING
    since: float = 0.0
    probing: bool = False
    next_probe: float = 0.0
    said: str = "not probed yet"
    state: UnitState | None = None


def _as_told(error: EnvctlError) -> EnvctlError:
    return error


def _as_it_is(text: str) -> str:
    return text


def apply_changes(
    changes: Sequence[Change],
    backend: Backend,
    report: Report,
    *,
    observed: Observed | None = None,
    mask: Callable[[str], str] = _as_it_is,
) -> None:
    """Apply changes in the order of their needs; nothing is waited for to become ready.

    `observed` is what they were decided on; what is said of a failure passes through `mask`. Raises what failed, after everything that could be done was done.
    """
    _Run(changes, (), backend, report, observed=observed, mask=mask).loop()


def bring_up(
    changes: Sequence[Change],
    plan: Plan,
    backend: Backend,
    report: Report,
    *,
    observed: Observed | None = None,
    mask: Callable[[str], str] = _as_it_is,
    explain: Callable[[EnvctlError], EnvctlError] = _as_told,
) -> Observed:
    """Apply changes and wait until every unit of the plan is ready: healthy, running or completed.

    `observed` is what the changes were decided on; where there are none, it need not be looked at again.
    What is there in the end is returned.

    A unit is started when its dependencies have reached the condition it asks for. What does not
    depend on a failed unit goes on; the failed ones stay as they are, to be looked at. What programs
    say passes through `mask` before it is told: it may hold the value of a secret. `explain` makes of what failed what is
    raised.
    """
    run = _Run(changes, plan.units, backend, report, observed=observed, mask=mask, explain=explain)
    run.loop()
    return run.seen if run.seen and not changes else backend.observe()


class _Run:
    def __init__(
        self,
        changes: Sequence[Change],
        units: Sequence[Unit],
        backend: Backend,
        report: Report,
        *,
        observed: Observed | None = None,
        mask: Callable[[str], str] = _as_it_is,
        explain: Callable[[EnvctlError], EnvctlError] = _as_told,
    ) -> None:
        self.before = observed or Observed()
        self.given = None if changes else observed
        self.seen: Observed | None = None
        self.backend = backend
        self.report = report
        self.mask = mask
        self.explain = explain
        self.todo: dict[str, Change] = {change.key: change for change in changes}
        self.phases: dict[str, Phase] = dict.fromkeys(self.todo, Phase.WAITING)
        self.waiting = dict(self.todo)
        """The changes that have not begun."""
        self.watches = {unit.name: _Watch(unit) for unit in units}
        self.services: dict[str, list[str]] = {}
        for unit in units:
            self.services.setdefault(unit.service, []).append(unit.name)
        self.failures: list[EnvctlError] = []
        self.results: queue.SimpleQueue[tuple[Callable[..., None], object, EnvctlError | None]] = (
            queue.SimpleQueue()
        )
        self.active = 0
        self.crew = Crew()
        self.pause = _TICK
        """Seconds between two looks, if nothing happens meanwhile."""
        self.next_look = 0.0

    # --- the loop

    def loop(self) -> None:
        for name, watch in self.watches.items():
            if name not in self.todo:
                watch.phase, watch.since = Phase.DONE, time.monotonic()
        try:
            while True:
                self._start_due()
                self._observe()
                if self._settled():
                    break
                self._collect()
        finally:
            self.crew.dismiss()
        self._recheck()
        _raise([self.explain(error) for error in self.failures])

    def _settled(self) -> bool:
        if self.active or self.waiting:
            return False
        changes = all(
            phase in (Phase.DONE, Phase.READY, Phase.FAILED) for phase in self.phases.values()
        )
        units = all(watch.phase in (Phase.READY, Phase.FAILED) for watch in self.watches.values())
        return changes and units

    def _start_due(self) -> None:
        for change in list(self.waiting.values()) if self.active < WORKERS else ():
            blocker = self._blocker(change)
            if blocker == "":
                self._begin(change)
                if self.active >= WORKERS:
                    break
            elif blocker is not None:
                self._give_up(change, blocker)

    def _blocker(self, change: Change) -> str | None:
        """Nothing if the change may start, None if it has to wait, else the name of what failed."""
        for need in change.needs:
            if self.phases.get(need) is Phase.FAILED:
                return need
            if need in self.phases and self.phases[need] not in (Phase.DONE, Phase.READY):
                return None
        if not isinstance(change.target, Unit) or not self.watches:
            return ""
        for service, condition in change.target.depends_on.items():
            for name in self.services.get(service, ()):
                phase = self.watches[name].phase
                if phase is Phase.FAILED:
                    return name
                # A unit with hooks counts as started when they have run.
                early = (
                    condition is Condition.STARTED and not self.watches[name].unit.hooks.after_start
                )
                reached = (Phase.DONE, Phase.READY) if early else (Phase.READY,)
                if phase not in reached:
                    return None
        return ""

    def _give_up(self, change: Change, blocker: str) -> None:
        self.phases[change.key] = Phase.FAILED
        del self.waiting[change.key]
        watch = self.watches.get(change.unit)
        if watch and change.key == change.unit:
            watch.phase = Phase.FAILED
        what = blocker.rpartition(":")[2]
        self.report(Progress(self._work(change), Stage.FAILED, f"not done: {what} failed"))

    # --- doing one change

    def _work(self, change: Change) -> str:
        return f"{_VERBS[change.action]} {change.unit}".rstrip()

    def _begin(self, change: Change) -> None:
        self.phases[change.key] = Phase.DOING
        del self.waiting[change.key]
        self.report(Progress(self._work(change), Stage.STARTED))
        self._spawn(partial(self._apply, change), self._applied, change)

    def _apply(self, change: Change) -> None:
        unit = change.target if isinstance(change.target, Unit) else None
        if unit and change.action in _ENDS:
            state = self.before.units.get(unit.name)
            reachable = state is None or state.status is not Status.UNREACHABLE
            run_hooks.before_stop(unit, self.backend, self.report, reachable=reachable)
        if change.action is not Action.HOOK:
            # Hooks are run when the unit is ready.
            self.backend.apply(change)

    def _applied(self, change: object, error: EnvctlError | None) -> None:
        assert isinstance(change, Change)
        work = self._work(change)
        watch = self.watches.get(change.unit) if change.key == change.unit else None
        if error is not None:
            self.phases[change.key] = Phase.FAILED
            if watch:
                watch.phase = Phase.FAILED
            error.brief, error.details = self.mask(error.brief), self.mask(error.details)
            # Why is told once, in the end, with all that helps.
            self.report(Progress(work, Stage.FAILED))
            self.failures.append(error)
            return
        self.phases[change.key] = Phase.DONE
        if watch:
            watch.phase, watch.since = Phase.DONE, time.monotonic()
            watch.next_probe = watch.since + _FIRST_PAUSE
        if not watch:
            self.report(Progress(work, Stage.DONE))

    def _spawn(
        self,
        work: Callable[[], object],
        then: Callable[[object, EnvctlError | None], None],
        subject: object,
    ) -> None:
        def body() -> None:
            error: EnvctlError | None = None
            try:
                work()
            except EnvctlError as caught:
                error = caught
            except Exception as caught:  # noqa: BLE001 - it must reach the user, not die with the thread
                error = EnvctlError(f"internal error: {type(caught).__name__}: {caught}")
                error.__cause__ = caught
            self.results.put((then, subject, error))

        self.active += 1
        self.crew.do(body, busy=self.active)

    def _collect(self) -> None:
        """Take in what the threads have finished; wait a tick if there is nothing yet."""
        until_look = self.next_look - time.monotonic()
        pause = min(self.pause, until_look) if until_look > 0 else self.pause
        try:
            then, subject, error = self.results.get(timeout=pause)
            while True:
                self.active -= 1
                then(subject, error)
                then, subject, error = self.results.get_nowait()
        except queue.Empty:
            pass

    # --- becoming ready

    def _observe(self) -> None:
        before = time.monotonic()
        if before < self.next_look:
            return
        waiting = [watch for watch in self.watches.values() if watch.phase is Phase.DONE]
        if not waiting:
            return
        self.seen, self.given = self.given or self.backend.observe(), None
        states = self.seen.units
        now = time.monotonic()
        # Whoever is asked is to have most of the time for what it does: an emulated machine has little of it.
        self.pause = max(_TICK, 2 * (now - before))
        self.next_look = now + 2 * (now - before)
        for watch in waiting:
            name = watch.unit.name
            verdict, text = judge(watch.unit, states.get(name), waited=now - watch.since)
            watch.state = states.get(name)
            if verdict is Readiness.READY:
                self._ready(watch, text)
            elif verdict is Readiness.FAILED:
                self._fail(watch, text)
            elif verdict is Readiness.PROBE and not watch.probing and now >= watch.next_probe:
                watch.probing = True
                self._spawn(partial(self._probe, watch), self._probed, watch)

    def _probe(self, watch: _Watch) -> None:
        healthy, watch.said = self.backend.probe(watch.unit)
        if not healthy:
            raise EnvctlError(watch.said)

    def _probed(self, subject: object, error: EnvctlError | None) -> None:
        assert isinstance(subject, _Watch)
        subject.probing = False
        if subject.phase is not Phase.DONE:
            return
        if error is None:
            self._ready(subject, "healthy")
            return
        subject.said = self.mask(str(error))
        now, probe = time.monotonic(), subject.unit.run.probe or PATIENCE
        subject.next_probe = now + probe.pause(now - subject.since)
        first = subject.said.strip().partition("\n")[0]
        self.report(Progress(f"start {subject.unit.name}", Stage.WORKING, first[:100]))
        allowed = allowance(probe)
        # An engine that asks by itself may not have begun to: that is no failure yet.
        patience = probe.interval + probe.timeout if subject.said == NOT_ASKED else 0.0
        if now - subject.since > allowed + patience:
            brief = f"it did not become healthy within {allowed:g} s"
            self._fail(subject, brief, said=quoted("probe", subject.said))

    def _ready(self, watch: _Watch, text: str) -> None:
        if watch.state is not None and run_hooks.are_due(watch.unit, watch.state):
            watch.phase = Phase.DOING
            work = partial(
                run_hooks.after_start, watch.unit, watch.state, self.backend, self.report
            )
            self._spawn(work, partial(self._hooked, text), watch)
            return
        watch.phase = Phase.READY
        if watch.unit.name in self.todo:
            self.report(Progress(self._work(self.todo[watch.unit.name]), Stage.DONE, text))

    def _hooked(self, ready: str, subject: object, error: EnvctlError | None) -> None:
        assert isinstance(subject, _Watch)
        if error is not None:
            said = quoted("the hook printed", error.details)
            self._fail(subject, error.brief, said=said, where=error.where)
            return
        subject.phase = Phase.READY
        self.report(Progress(self._work_of(subject), Stage.DONE, ready))

    def _work_of(self, watch: _Watch) -> str:
        name = watch.unit.name
        return self._work(self.todo[name]) if name in self.todo else f"start {name}"

    def _fail(
        self, watch: _Watch, brief: str, *, said: str = "", where: Place | None = None
    ) -> None:
        """Take a unit for failed; `where` is the place to blame, if it is not the whole service's."""
        watch.phase = Phase.FAILED
        name, where = watch.unit.name, where or watch.unit.where
        self.report(Progress(self._work_of(watch), Stage.FAILED))
        details = evidence(self.backend, name, said)
        self.failures.append(
            failure(name, brief, details=details, state=watch.state, where=where, mask=self.mask)
        )

    def _decided_states(self, names: Sequence[str]) -> Mapping[str, UnitState]:
        """What these units do; one that is just ending is waited for, a few seconds at most."""
        end = time.monotonic() + DECISION_TIME
        while True:
            states = self.backend.observe().units
            unknown = any(states[name].status is Status.UNKNOWN for name in names if name in states)
            if not unknown or time.monotonic() > end:
                return states
            time.sleep(_TICK)

    def _recheck(self) -> None:
        """A unit that was ready and has exited while others came up is a failure after all.

        One without a probe has to have lived for a moment: it may be about to find out that its
        configuration is wrong.
        """
        started = [
            watch
            for name, watch in self.watches.items()
            if watch.phase is Phase.READY and name in self.todo and watch.unit.kind is not Kind.TASK
        ]
        if not started:
            return
        if self.backend.capabilities.executes:
            unproven = [watch.since for watch in started if watch.unit.run.probe is None]
            time.sleep(max(0.0, max(unproven, default=0.0) + SETTLE - time.monotonic()))
        states = self._decided_states([watch.unit.name for watch in started])
        for watch in started:
            state = states.get(watch.unit.name)
            if state is None:
                self._fail(watch, "it is gone")
            elif state.status is Status.UNKNOWN:
                self._fail(
                    watch, f"whether it runs is unknown: {state.cause or 'no reason is given'}"
                )
            elif state.status.is_over or state.status is Status.RESTARTING:
                watch.state = state
                self._fail(watch, f"{ended_text(state)} after it had started")


def _raise(failures: Sequence[EnvctlError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise EnvctlError(
            f"{len(failures)} things failed",
            details="\n\n".join(str(error) for error in failures),
        )
