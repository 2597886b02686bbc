"""Changes carried out on the memory backend: order, readiness, failures."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from envctl.backends.base import Capabilities, Context
from envctl.backends.memory import MemoryBackend
from envctl.errors import EnvctlError
from envctl.plan.changes import Action
from envctl.plan.model import Hooks, Kind, Probe, ProbeKind
from envctl.plan.scope import Scope
from envctl.plan.state import Status
from envctl.progress import Stage, no_progress
from envctl.reconcile.compare import compare, down, stop
from envctl.reconcile.executor import apply_changes, bring_up
from tests.support.plans import plan, script, unit


class Recorder(MemoryBackend):
    """Notes what is applied, and fails where it is told to."""

    def __init__(self, context, breaks=()):
        super().__init__(context)
        self.breaks = breaks
        self.applied = []
        self.ran = []
        self.together = 0
        self.busy = 0
        self.lock = threading.Lock()

    def apply(self, change):
        with self.lock:
            self.applied.append(change.key)
            self.busy += 1
            self.together = max(self.together, self.busy)
        try:
            if change.key in self.breaks:
                raise EnvctlError(f"{change.key} broke")
            super().apply(change)
        finally:
            with self.lock:
                self.busy -= 1

    def exec(self, unit, execution):
        self.ran.append((unit, execution.argv))
        return 9 if execution.argv == ("false",) else 0

    def run_hook(self, unit, hook, execution):
        self.ran.append((unit, execution.argv))
        if execution.argv == ("false",):
            execution.stderr(b"no such table")
            return 9
        return super().run_hook(unit, hook, execution)


@pytest.fixture
def backend(tmp_path):
    return Recorder(Context(Scope("shop", "id", "dev", str(tmp_path))))


@pytest.fixture(autouse=True)
def _little_time(monkeypatch):
    """How long a service has to live is nothing that these tests are about."""
    monkeypatch.setattr("envctl.reconcile.readiness_watcher.SETTLE", 0.05)


class ShortLived(Recorder):
    """Its units run at first, and have ended (or are started again and again) a moment later."""

    capabilities = Capabilities()
    end = Status.EXITED

    def observe(self, plan=None):
        there = super().observe(plan)
        self.asked = getattr(self, "asked", 0) + bool(there.units)
        if self.asked < 2:
            return there
        ended = {
            name: replace(state, status=self.end, exit_code=4)
            for name, state in there.units.items()
        }
        return replace(there, units=ended)


def up(backend, *units, report=no_progress):
    wanted = plan(*units)
    bring_up(compare(wanted, backend.observe()), wanted, backend, report)


def test_a_unit_starts_after_what_it_depends_on(backend):
    up(
        backend,
        unit("web", after={"job": "completed", "db": "started"}),
        unit("job", kind="task", after={"db": "started"}),
        unit("db"),
    )

    assert [key for key in backend.applied if "build" not in key] == ["db", "job", "web"]


def test_bringing_up_again_applies_nothing(backend):
    up(backend, unit("web"))
    backend.applied.clear()

    up(backend, unit("web"))

    assert backend.applied == []


def test_where_nothing_changes_what_was_seen_is_not_looked_for_again(backend, monkeypatch):
    up(backend, unit("web"))
    wanted, observed = plan(unit("web")), backend.observe()
    monkeypatch.setattr(backend, "observe", lambda: pytest.fail("it was looked for again"))

    assert bring_up((), wanted, backend, no_progress, observed=observed) is observed


def test_a_unit_that_is_not_ready_yet_is_looked_for_again(backend):
    up(backend, unit("web"))
    there = backend.observe()
    restarting = replace(there.units["web"], status=Status.RESTARTING)
    before = replace(there, units={"web": restarting})

    after = bring_up((), plan(unit("web")), backend, no_progress, observed=before)

    assert after.units["web"].status is Status.RUNNING


def test_what_was_seen_before_a_change_says_nothing_of_after_it(backend):
    wanted, before = plan(unit("web")), backend.observe()

    after = bring_up(compare(wanted, before), wanted, backend, no_progress, observed=before)

    assert after.units["web"].status is Status.RUNNING


def test_what_depends_on_a_failure_is_not_started_and_the_rest_is(backend):
    backend.breaks = ("db",)
    events = []

    with pytest.raises(EnvctlError, match="db broke"):
        up(
            backend,
            unit("db"),
            unit("web", after={"db": "started"}),
            unit("other"),
            report=events.append,
        )

    assert set(backend.observe().units) == {"other"}
    failed = {event.work: event.text for event in events if event.stage is Stage.FAILED}
    # Why it failed is raised: it is told once.
    assert failed == {"start db": "", "start web": "not done: db failed"}


def test_a_failed_build_keeps_its_units_from_being_made(backend):
    backend.breaks = ("build:web",)

    with pytest.raises(EnvctlError, match="build:web broke"):
        up(backend, unit("web", script("make")))

    assert backend.observe().units == {}


def test_a_task_that_fails_is_reported_with_its_exit_code_and_place(backend):
    with pytest.raises(EnvctlError, match="job: the task ended with exit code 1") as caught:
        up(
            backend,
            unit("job", kind="task", argv=["false"]),
            unit("web", after={"job": "completed"}),
        )

    assert str(caught.value.where) == "envctl.yaml:2:3"
    assert "web" not in backend.observe().units


def test_a_service_that_exits_is_reported_at_once(backend):
    with pytest.raises(EnvctlError, match="web: it exited with exit code 1"):
        up(backend, unit("web", argv=["false"]))


def test_an_unhealthy_service_fails_when_its_time_is_over_with_the_words_of_the_probe(backend):
    probe = Probe(ProbeKind.COMMAND, ("false",), interval=0.05, retries=2, start_period=0.1)

    with pytest.raises(EnvctlError, match="did not become healthy within") as caught:
        up(backend, unit("web", probe=probe))

    assert "probe: false" in caught.value.details
    assert backend.observe().units["web"].status is Status.RUNNING


def test_several_failures_are_reported_together(backend):
    backend.breaks = ("a", "b")

    with pytest.raises(EnvctlError, match="2 things failed") as caught:
        up(backend, unit("a"), unit("b"))

    assert "a broke" in caught.value.details
    assert "b broke" in caught.value.details


def test_a_defect_in_a_backend_is_an_error_not_a_hang(backend):
    def explode(change):
        raise ZeroDivisionError("oh")

    backend.apply = explode

    with pytest.raises(EnvctlError, match="internal error: ZeroDivisionError: oh"):
        up(backend, unit("web"))


def test_hooks_run_when_the_unit_is_ready_and_before_it_stops(backend):
    hooks = Hooks(after_start=(("warm",),), before_stop=(("drain",),))
    web = replace(unit("web"), hooks=hooks)
    up(backend, web)
    wanted = plan(web)

    apply_changes(down(backend.observe(), plan=wanted), backend, no_progress)

    assert backend.ran == [("web", ("warm",)), ("web", ("drain",))]


@pytest.mark.parametrize("probe", [None, Probe(ProbeKind.TCP, ("127.0.0.1", "80"))])
def test_a_unit_is_as_ready_with_hooks_as_without(backend, probe):
    for hooks, verb in ((Hooks(), "start"), (Hooks(after_start=(("warm",),)), "run the hooks of")):
        events = []
        web = replace(unit("web", probe=probe), hooks=hooks)
        changes = compare(plan(web), backend.observe())
        bring_up(changes, plan(web), backend, events.append)
        last = [one for one in events if one.stage is Stage.DONE][-1]
        assert (last.work, last.text) == (f"{verb} web", "healthy" if probe else "running")


def hooked(*hooks, name="web", **more):
    return replace(unit(name, **more), hooks=Hooks(tuple((hook,) for hook in hooks)))


def test_a_failing_hook_fails_the_start_but_never_the_stop(backend):
    bad = replace(unit("web"), hooks=Hooks((("false",),), (("false",),)))
    events = []

    with pytest.raises(
        EnvctlError, match=r"web: after_start hook 1 \(false\) ended with exit code 9"
    ) as caught:
        up(backend, bad)
    apply_changes(down(backend.observe(), plan=plan(bad)), backend, events.append)

    assert "the hook printed: no such table" in caught.value.details
    assert "probe" not in str(caught.value)
    assert backend.observe().units == {}
    notes = [event.text for event in events if event.stage is Stage.NOTE]
    assert notes == ["before_stop hook 1 (false) ended with exit code 9"]


@pytest.mark.parametrize("condition", ["started", "healthy"])
def test_a_hook_that_failed_runs_again_and_what_depends_on_it_waits(backend, condition):
    after = unit("after", after={"web": condition})
    for _ in range(2):
        with pytest.raises(EnvctlError, match="after_start hook 2"):
            up(backend, hooked("warm", "false"), after)
        assert set(backend.observe().units) == {"web"}

    up(backend, hooked("warm", "true"), after)

    # The first has run, and is not run again.
    assert [argv[0] for _, argv in backend.ran] == ["warm", "false", "false", "true"]
    assert set(backend.observe().units) == {"web", "after"}
    assert compare(plan(hooked("warm", "true"), after), backend.observe()) == ()


def test_hooks_run_again_after_each_start(backend):
    web = hooked("warm")
    up(backend, web)
    apply_changes(stop(backend.observe(), plan=plan(web)), backend, no_progress)
    assert backend.observe().units["web"].status is Status.STOPPED

    up(backend, web)
    up(backend, replace(web, run=replace(web.run, aliases=("web", "w"))))

    assert [argv[0] for _, argv in backend.ran] == ["warm"] * 3


def test_hooks_of_a_start_that_failed_before_it_was_healthy_run_with_the_next(backend):
    ill = Probe(ProbeKind.COMMAND, ("false",), interval=0.05, retries=1, start_period=0.1)
    web = hooked("warm", probe=ill)
    for _ in range(2):
        with pytest.raises(EnvctlError, match="did not become healthy"):
            up(backend, web)
    assert backend.ran == []
    backend.probe = lambda _unit: (True, "")

    up(backend, web)

    assert backend.ran == [("web", ("warm",))]


def test_hooks_that_changed_run_and_nothing_else_is_done(backend):
    up(backend, hooked("warm", "seed"))
    before = backend.observe().units["web"].id
    backend.applied.clear()

    up(backend, hooked("warm", "feed"))

    assert backend.applied == []
    assert [argv[0] for _, argv in backend.ran] == ["warm", "seed", "feed"]
    assert backend.observe().units["web"].id == before


def test_independent_units_are_made_at_the_same_time(backend):
    barrier = threading.Barrier(3, timeout=10)
    apply = backend.apply

    def meet(change):
        if change.action is Action.CREATE:
            barrier.wait()
        apply(change)

    backend.apply = meet

    up(backend, unit("a"), unit("b"), unit("c"))

    assert set(backend.observe().units) == {"a", "b", "c"}


def test_many_units_are_made_a_dozen_at_a_time(backend):
    units = [unit(f"u{number}", kind=Kind.TASK) for number in range(60)]

    up(backend, *units)

    assert len(backend.observe().units) == 60
    assert backend.together <= 12


class Ending(ShortLived):
    """How its units end is noted only after a while."""

    def observe(self, plan=None):
        there = super().observe(plan)
        status = Status.UNKNOWN if 2 <= self.asked < 4 else None
        units = {
            name: replace(state, status=status or state.status)
            for name, state in there.units.items()
        }
        return replace(there, units=units)


def test_a_service_whose_end_is_just_being_noted_has_not_started(tmp_path):
    backend = Ending(Context(Scope("shop", "id", "dev", str(tmp_path))))
    wanted = plan(unit("web"))
    with pytest.raises(EnvctlError, match="web: it exited with exit code 4 after it had started"):
        bring_up(compare(wanted, backend.observe()), wanted, backend, no_progress)


def test_a_service_of_which_nobody_can_tell_whether_it_runs_has_not_started(tmp_path, monkeypatch):
    monkeypatch.setattr("envctl.reconcile.readiness_watcher.DECISION_TIME", 0.2)
    backend = ShortLived(Context(Scope("shop", "id", "dev", str(tmp_path))))
    backend.end = Status.UNKNOWN
    wanted = plan(unit("web"))
    with pytest.raises(EnvctlError, match="web: whether it runs is unknown"):
        bring_up(compare(wanted, backend.observe()), wanted, backend, no_progress)


@pytest.mark.parametrize("end", [Status.EXITED, Status.RESTARTING])
def test_a_unit_that_ends_a_moment_after_its_start_is_a_failure(backend, end):
    short = ShortLived(backend.context)
    short.end = end

    with pytest.raises(EnvctlError, match="web: it exited with exit code 4 after it had started"):
        up(short, unit("web"))


def test_hooks_of_a_unit_that_cannot_be_reached_are_said_not_to_run(backend):
    web = replace(unit("web"), hooks=Hooks(before_stop=(("drain",),)))
    up(backend, web)
    there = backend.observe()
    lost = replace(there.units["web"], status=Status.UNREACHABLE)
    events = []

    changes = down(there, plan=plan(web))
    apply_changes(changes, backend, events.append, observed=replace(there, units={"web": lost}))

    assert backend.ran == []
    notes = [event.text for event in events if event.stage is Stage.NOTE]
    assert notes == ["its before_stop hooks are not run: it is unreachable"]
    assert backend.observe().units == {}


def test_what_others_still_need_is_not_removed_when_those_could_not_be(backend):
    units = (unit("db"), unit("web", after={"db": "started"}), unit("other"))
    up(backend, *units)
    backend.breaks = ("web",)
    events = []

    with pytest.raises(EnvctlError, match="web broke"):
        apply_changes(down(backend.observe(), plan=plan(*units)), backend, events.append)

    assert set(backend.observe().units) == {"db", "web"}
    failed = {event.work: event.text for event in events if event.stage is Stage.FAILED}
    assert failed["remove db"] == "not done: web failed"
