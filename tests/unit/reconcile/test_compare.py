"""What has to change, said in the text form of changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.build_causes import build_text
from envctl.plan.changes import Action, Change
from envctl.plan.hooks import digests
from envctl.plan.model import (
    Base,
    Build,
    Hooks,
    NewVolume,
    Port,
    ReadyImage,
    Resources,
    Secret,
    Unit,
    Volume,
)
from envctl.plan.state import Drift, Observed, Status
from envctl.plan.text import changes_text
from envctl.reconcile.compare import builds, compare, down, only, remove, stop
from tests.support.examples import examples
from tests.support.plans import build, made, observed, packages, plan, script, unit

NOTHING = Observed()


def lines(changes):
    return [" ".join(line.split()) for line in changes_text(changes).splitlines()]


def test_everything_is_built_and_created_where_nothing_is():
    web = unit("web", packages("python3"))

    assert lines(compare(plan(web), NOTHING)) == [
        "* build web the image does not exist yet (envctl.yaml:3:5)",
        "+ create web does not exist yet (envctl.yaml:2:3)",
    ]


def test_nothing_changes_when_all_is_as_planned():
    units = (unit("web", packages("python3")), unit("job", kind="task"), unit("db", image="pg"))

    assert compare(plan(*units), observed(*units)) == ()


def test_a_changed_variable_replaces_that_unit_alone_and_names_old_new_and_place():
    place = Place("environments/dev.yaml", 12, 18)
    old = unit("web", env={"LOG_LEVEL": "info"})
    new = unit("web", env={"LOG_LEVEL": "debug"}, origins={"process.env.LOG_LEVEL": place})
    db = unit("db")

    assert lines(compare(plan(db, new), observed(db, old))) == [
        '~ replace web env LOG_LEVEL "info" → "debug" (environments/dev.yaml:12:18)'
    ]


def test_an_added_and_a_removed_variable_are_told_apart():
    old = unit("web", env={"A": "1"})
    new = unit("web", env={"B": "2"})

    assert lines(compare(plan(new), observed(old))) == [
        '~ replace web env A "1" → unset (envctl.yaml:2:3)',
        'env B unset → "2" (envctl.yaml:2:3)',
    ]


def test_a_backend_that_can_reconfigure_is_asked_to():
    old, new = unit("web", env={"A": "1"}), unit("web", env={"A": "2"})

    (change,) = compare(plan(new), observed(old), reconfigure=frozenset({"process"}))

    assert change.action is Action.RECONFIGURE


def test_a_change_beyond_what_a_backend_can_reconfigure_replaces():
    old, new = unit("web", env={"A": "1"}), unit("web", env={"A": "2"}, ports=(Port(80),))

    (change,) = compare(plan(new), observed(old), reconfigure=frozenset({"process"}))

    assert change.action is Action.REPLACE


def test_a_changed_build_step_is_named_with_its_own_place():
    old = unit("web", packages("python3"), script("make"))
    new = unit("web", packages("python3"), script("make all"))

    assert lines(compare(plan(new), observed(old))) == [
        "* build web build step changed: run sh: make all (was: run sh: make) (envctl.yaml:7:9)",
        "~ replace web build step changed: run sh: make all (was: run sh: make) (envctl.yaml:7:9)",
    ]


def test_another_base_is_not_taken_for_a_step():
    old = unit("web", script("make"))
    base = Base("debian:trixie", "debian:trixie")
    new = replace(old, source=build(script("make"), base=base))

    assert lines(compare(plan(new), observed(old)))[1] == (
        "~ replace web base image debian:bookworm → debian:trixie (envctl.yaml:3:5)"
    )


def test_an_image_that_is_at_hand_is_not_built_again():
    old, new = unit("web", script("a")), unit("web", script("b"))
    there = observed(old)
    there = replace(there, images={**there.images, **observed(new).images})

    assert [change.action for change in compare(plan(new), there)] == [Action.REPLACE]


def test_a_name_that_means_another_image_now_replaces():
    web = replace(unit("web"), source=ReadyImage("web:1"))
    there = observed(web)
    old = replace(there, units={"web": replace(there.units["web"], outdated=True)})

    assert compare(plan(web), there) == ()
    (change,) = compare(plan(web), old)
    assert (change.action, change.cause) == (Action.REPLACE, "web:1 now names another image")


def test_a_pruned_image_of_a_running_unit_is_not_missed():
    web = unit("web", script("a"))

    assert compare(plan(web), replace(observed(web), images={})) == ()


def test_units_with_the_same_build_share_one():
    web, worker = unit("web", script("a")), unit("worker", script("a"))

    changes = compare(plan(web, worker), NOTHING)

    assert [str(change.action) for change in changes] == ["build", "create", "create"]
    assert all(change.needs[0] == "build:web" for change in changes[1:])


def test_dependents_wait_for_the_changes_of_what_they_depend_on():
    db, web = unit("db"), unit("web", after={"db": "started"})

    changes = {change.key: change for change in compare(plan(db, web), NOTHING)}

    assert "db" in changes["web"].needs
    assert "web" not in changes["db"].needs


def test_names_that_start_alike_are_not_taken_for_replicas():
    my, my_db, web = unit("my"), unit("my-db", after={"my": "started"}), unit("web")

    changes = {change.key: change for change in compare(plan(my, my_db, web), NOTHING)}

    assert "my-db" not in changes["web"].needs
    assert changes["my-db"].needs == ("build:my", "my")


def test_a_unit_that_is_in_the_plan_no_more_is_removed_before_others_are_made():
    web, old = unit("web"), unit("old")

    changes = compare(plan(web), observed(old))

    assert lines(changes)[0] == "- remove old old was removed from the spec"
    assert "old" in changes[-1].needs


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": Status.EXITED, "exit_code": 3}, "> start web it is not running (exit code 3) (envctl.yaml:2:3)"),
        ({"status": Status.EXITED, "exit_code": 143}, "> start web it is not running (exit code 143 (SIGTERM)) (envctl.yaml:2:3)"),
        ({"status": Status.EXITED, "exit_code": None}, "> start web it is not running (envctl.yaml:2:3)"),
        ({"status": Status.CREATED}, "> start web it was never started (envctl.yaml:2:3)"),
        ({"status": Status.PAUSED}, "> start web it is paused (envctl.yaml:2:3)"),
        ({"status": Status.STOPPED, "exit_code": 143}, "> start web it is stopped (envctl.yaml:2:3)"),
        ({"status": Status.OOM_KILLED, "exit_code": 137}, "> start web it was killed for memory (envctl.yaml:2:3)"),
        ({"status": Status.UNREACHABLE, "cause": "no answer"}, "> start web it is unreachable: no answer (envctl.yaml:2:3)"),
        ({"status": Status.UNKNOWN}, "> start web its state is unknown (envctl.yaml:2:3)"),
        ({"defect": "port 80 is not forwarded"}, "> start web port 80 is not forwarded (envctl.yaml:2:3)"),
        ({"status": Status.CREATED, "unfinished": True, "build": ""}, "~ replace web an earlier `up` of it did not finish (envctl.yaml:2:3)"),
        ({"status": Status.MISSING}, "+ create web does not exist yet (envctl.yaml:2:3)"),
    ],
)  # fmt: skip
def test_a_service_that_does_not_run_is_started(state, expected):
    web = unit("web")
    there = replace(observed(web), units={"web": made(web, **state)})

    assert lines(compare(plan(web), there)) == [expected]


def test_a_task_that_was_done_is_not_done_again_and_one_that_failed_is():
    job = unit("job", kind="task")
    failed = replace(observed(job), units={"job": made(job, exit_code=2)})

    assert compare(plan(job), observed(job)) == ()
    assert lines(compare(plan(job), failed)) == [
        "~ replace job it failed last time (exit code 2) (envctl.yaml:2:3)"
    ]


def test_a_changed_secret_is_reported_without_its_digest():
    old = unit("web", secrets=(Secret("key", "/run/secrets/key", "aaaa"),))
    new = unit("web", secrets=(Secret("key", "/run/secrets/key", "bbbb"),))

    (line,) = lines(compare(plan(new), observed(old)))

    assert line == "~ replace web secret key changed (envctl.yaml:2:3)"


def test_a_label_someone_tampered_with_leads_to_a_replacement_not_an_error():
    web = unit("web")
    there = replace(observed(web), units={"web": made(web, run="{not json")})

    assert lines(compare(plan(web), there)) == [
        "~ replace web it was created with other settings (envctl.yaml:2:3)"
    ]


def test_down_removes_units_and_only_asked_for_volumes():
    web = unit("web")
    there = observed(web, volumes=frozenset({"data"}))

    assert [str(change.action) for change in down(there)] == ["remove", "dismantle"]
    assert [f"{change.action} {change.unit}".strip() for change in down(there, volumes=True)] == [
        "remove web",
        "discard data",
        "dismantle",
    ]


def test_down_where_nothing_is_changes_nothing():
    assert down(NOTHING) == ()


def test_down_takes_dependents_first():
    db, web = unit("db"), unit("web", after={"db": "started"})
    changes = {change.key: change for change in down(observed(db, web), plan=plan(db, web))}

    assert changes["db"].needs == ("web",)


def test_stop_stops_what_runs():
    web, job = unit("web"), unit("job", kind="task")

    assert lines(stop(observed(web, job))) == ["# stop web the environment is being stopped"]


def test_a_selection_keeps_what_it_needs_and_removes_nothing():
    db, web, other = unit("db"), unit("web", after={"db": "started"}), unit("other", script("x"))
    changes = compare(plan(db, web, other), observed(unit("old", script("old"))))

    assert [change.key for change in only(changes, frozenset({"web"}))] == ["build:db", "db", "web"]


# --- what holds for any plans ---------------------------------------------------------------

NAMES = "abcd"
RECONFIGURED = st.sampled_from(
    [frozenset(), frozenset({"process"}), frozenset({"process", "ports"})]
)


def _unit(name, text, env, host, image, kind, after):
    """A unit that depends only on those whose names come before its own."""
    return unit(
        name,
        script(text),
        env=env,
        image=image,
        kind=kind,
        ports=(Port(80, host),) if host else (),
        after={other: "started" for other in after if other < name},
    )


UNITS = st.builds(
    _unit,
    st.sampled_from(NAMES),
    st.sampled_from(["one", "two"]),
    st.dictionaries(st.sampled_from(["X", "Y"]), st.text(max_size=4), max_size=2),
    st.sampled_from([0, 8080]),
    st.sampled_from(["", "", "redis:7"]),
    st.sampled_from(["service", "service", "task"]),
    st.frozensets(st.sampled_from(NAMES), max_size=2),
)


def _plan(units):
    units = sorted(units, key=lambda one: one.name)
    names = {one.name for one in units}
    return plan(
        *(
            replace(one, depends_on={k: v for k, v in one.depends_on.items() if k in names})
            for one in units
        )
    )


PLANS = st.lists(UNITS, unique_by=lambda one: one.name, max_size=4).map(_plan)
STATES = st.sampled_from(
    [
        {},
        {"status": Status.EXITED, "exit_code": 1},
        {"status": Status.EXITED, "exit_code": 0},
        {"status": Status.CREATED},
        {"status": Status.PAUSED},
        {"status": Status.MISSING},
        {"run": "{not json"},
        {"build": "gone"},
    ]
)


@st.composite
def situations(draw):
    """A plan, and whatever may be there: of another plan, in any state, with or without its images."""
    old = draw(PLANS)
    there = observed(*old.units, volumes=frozenset({"data"}))
    states = {name: replace(state, **draw(STATES)) for name, state in there.units.items()}
    images = {key: text for key, text in there.images.items() if draw(st.booleans())}
    return draw(PLANS), replace(there, units=states, images=images)


def done(there: Observed, change: Change) -> Observed:
    """What is there after one change was made, as a backend would see it."""
    units, images = dict(there.units), dict(there.images)
    target = change.target
    if isinstance(target, Build):
        assert change.action is Action.BUILD
        images[target.digest] = build_text(target)
    elif change.action is Action.REMOVE:
        units.pop(change.unit)
    elif change.action is Action.STOP:
        units[change.unit] = replace(units[change.unit], status=Status.STOPPED)
    elif change.action is Action.DELETE_VOLUME:
        return replace(there, volumes=there.volumes - {change.unit})
    elif change.action is not Action.TEAR_DOWN:
        assert isinstance(target, Unit)
        source = target.source
        if change.action in (Action.START, Action.RECONFIGURE):
            assert units[change.unit].build == getattr(source, "digest", "")
        else:
            assert isinstance(source, ReadyImage) or source.digest in images
        units[change.unit] = made(target)
    return replace(there, units=units, images=images)


def in_some_order(changes, choose):
    """The changes in an order that their needs allow; every one comes up, so there is no circle."""
    left = list(changes)
    finished: set[str] = set()
    while left:
        ready = [change for change in left if set(change.needs) <= finished]
        assert ready, f"these wait for each other: {[change.key for change in left]}"
        change = choose(ready)
        left.remove(change)
        finished.add(change.key)
        yield change


@given(PLANS)
def test_a_plan_that_was_carried_out_needs_no_change(wanted):
    assert compare(wanted, observed(*wanted.units)) == ()


@given(PLANS, PLANS)
def test_each_unit_changes_once_and_only_if_it_differs(old, new):
    changes = compare(new, observed(*old.units))
    units = [change.unit for change in changes if change.action not in (Action.BUILD, Action.STOP)]
    before = {one.name: (one.source, one.run, one.kind) for one in old.units}
    after = {one.name: (one.source, one.run, one.kind) for one in new.units}

    assert len(units) == len(set(units))
    for name in {*before, *after}:
        if before.get(name, ())[:2] != after.get(name, ())[:2]:
            assert name in units
        elif before[name] == after[name]:
            assert name not in units


@settings(max_examples=examples(60))
@given(situations(), RECONFIGURED)
def test_needs_name_changes_that_come_earlier(situation, reconfigure):
    wanted, there = situation
    seen: set[str] = set()
    for change in compare(wanted, there, reconfigure=reconfigure):
        assert set(change.needs) <= seen
        assert change.key not in seen
        seen.add(change.key)


@settings(max_examples=examples(60))
@given(situations(), RECONFIGURED, st.data())
def test_changes_lead_to_the_plan_in_any_order_that_their_needs_allow(situation, reconfigure, data):
    wanted, there = situation
    changes = compare(wanted, there, reconfigure=reconfigure)
    for change in in_some_order(changes, lambda ready: data.draw(st.sampled_from(ready))):
        there = done(there, change)

    assert compare(wanted, there, reconfigure=reconfigure) == ()
    assert set(there.units) == {one.name for one in wanted.units}
    assert there.volumes == {"data"}


@settings(max_examples=examples(60))
@given(situations(), st.integers(0, 20), st.data())
def test_changes_that_were_cut_off_are_gone_on_with(situation, cut, data):
    wanted, there = situation
    order = in_some_order(compare(wanted, there), lambda ready: data.draw(st.sampled_from(ready)))
    for change in islice(order, cut):
        there = done(there, change)
    for change in compare(wanted, there):
        there = done(there, change)

    assert compare(wanted, there) == ()


@settings(max_examples=examples(60))
@given(situations(), st.booleans(), st.booleans(), st.data())
def test_down_takes_everything_in_any_order_that_its_needs_allow(situation, volumes, known, data):
    wanted, there = situation
    changes = down(there, volumes=volumes, plan=wanted if known else None)
    for change in in_some_order(changes, lambda ready: data.draw(st.sampled_from(ready))):
        there = done(there, change)

    assert there.units == {}
    assert there.volumes == (frozenset() if volumes else {"data"})
    assert down(there, volumes=volumes, plan=wanted) == ()


@settings(max_examples=examples(60))
@given(situations(), RECONFIGURED, st.data())
def test_stop_can_be_done_in_any_order_that_its_needs_allow(situation, known, data):
    wanted, there = situation
    changes = stop(there, plan=wanted if known else None)
    order = list(in_some_order(changes, lambda ready: data.draw(st.sampled_from(ready))))

    assert {change.action for change in order} <= {Action.STOP}


@settings(max_examples=examples(60))
@given(situations(), st.frozensets(st.sampled_from(NAMES)))
def test_a_selection_can_be_done_by_itself(situation, names):
    wanted, there = situation
    changes = only(compare(wanted, there), names)

    for change in changes:
        assert change.action is not Action.REMOVE or set(change.frees) & {
            one.unit for one in changes
        }
    assert list(in_some_order(changes, lambda ready: ready[0])) is not None
    for change in changes:
        there = done(there, change)
    left = {change.unit for change in compare(wanted, there) if change.action is not Action.BUILD}
    assert not left & names & {one.name for one in wanted.units}


def test_every_cause_is_told_one_a_line_whatever_else_changed():
    at = {name: Place("envctl.yaml", line, 1) for name, line in PLACES.items()}
    old = unit("web", packages("python3"), script("one"), script("two"), ports=(Port(80, 8080),))
    new = unit(
        "web",
        packages("curl", "python3"),
        script("one!"),
        script("two!"),
        env={"A": "1"},
        ports=(Port(80, 8080, "0.0.0.0"),),
        resources=Resources(memory=128 * 1024**2),
        origins=at,
    )
    there = observed(old)
    there = replace(there, units={"web": made(old, status=Status.EXITED, exit_code=1)})

    assert lines(compare(plan(new), there)) == [
        "* build web package curl added (envctl.yaml:4:5)",
        "build step changed: run sh: one! (was: run sh: one) (envctl.yaml:7:9)",
        "build step changed: run sh: two! (was: run sh: two) (envctl.yaml:7:9)",
        "~ replace web package curl added (envctl.yaml:4:5)",
        "build step changed: run sh: one! (was: run sh: one) (envctl.yaml:7:9)",
        "build step changed: run sh: two! (was: run sh: two) (envctl.yaml:7:9)",
        'env A unset → "1" (envctl.yaml:11:1)',
        "port 8080 is now public ! other machines can reach it (envctl.yaml:12:1)",
        "memory unlimited → 128 MiB (envctl.yaml:13:1)",
        "it is not running (exit code 1) (envctl.yaml:2:3)",
    ]


PLACES = {"process.env.A": 11, "ports.0": 12, "resources.memory": 13}


def test_a_shared_image_is_built_for_the_causes_of_all_its_units():
    old = [unit("web", script("a")), unit("worker", script("b"))]
    new = [unit(name, script("c")) for name in ("web", "worker")]

    (built, *_) = compare(plan(*new), observed(*old))

    assert [cause.text for cause in built.causes] == [
        "build step changed: run sh: c (was: run sh: a)",
        "build step changed: run sh: c (was: run sh: b)",
    ]


def test_a_reconfiguration_tells_every_cause_too():
    old, new = unit("web", env={"A": "1", "B": "1"}), unit("web", env={"A": "2", "B": "2"})

    (change,) = compare(plan(new), observed(old), reconfigure=frozenset({"process"}))

    assert change.action is Action.RECONFIGURE
    assert [cause.text for cause in change.causes] == ['env A "1" → "2"', 'env B "1" → "2"']


def test_a_service_that_became_a_task_is_made_again():
    (change,) = compare(plan(unit("job", kind="task")), observed(unit("job")))

    assert (change.action, change.cause) == ("replace", "kind service → task")


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ({"exit_code": 3}, "it failed last time (exit code 3)"),
        ({"exit_code": None}, "how it ended is unknown"),
        ({"status": Status.STOPPED, "exit_code": 143}, "it was stopped before it had completed"),
        ({"status": Status.OOM_KILLED, "exit_code": 137}, "it failed last time (killed for memory (limit 64 MiB))"),
    ],
)  # fmt: skip
def test_a_task_that_did_not_complete_runs_again(state, cause):
    job = unit("job", kind="task", resources=Resources(memory=64 << 20))
    there = Observed({"job": made(job, **state)}, observed(job).images)

    assert lines(compare(plan(job), there)) == [f"~ replace job {cause} (envctl.yaml:2:3)"]


@pytest.mark.parametrize("status", [Status.STARTING, Status.RUNNING, Status.RESTARTING])
@pytest.mark.parametrize("kind", ["service", "task"])
def test_what_the_engine_is_at_is_left_to_it(kind, status):
    web = unit("web", kind=kind)
    there = Observed({"web": made(web, status=status)}, observed(web).images)

    assert compare(plan(web), there) == ()


def hooked(*hooks):
    return replace(unit("web"), hooks=Hooks(tuple((hook,) for hook in hooks)))


@pytest.mark.parametrize(
    ("ran", "wanted", "cause"),
    [
        ((), ("a", "b"), "after_start hook 1 has not succeeded: a"),
        (("a",), ("a", "b"), "after_start hook 2 has not succeeded: b"),
        (("a", "b"), ("a", "c"), "hooks changed: after_start hook 2 has not succeeded: c"),
        (("a", "b"), ("b", "a"), "hooks changed: after_start hook 1 has not succeeded: b"),
        (("a",), ("a", "a"), "after_start hook 2 has not succeeded: a"),
    ],
)  # fmt: skip
def test_hooks_that_have_not_run_are_a_change_that_names_the_first(ran, wanted, cause):
    there = observed(hooked(*ran))

    assert lines(compare(plan(hooked(*wanted)), there)) == [f"> hook web {cause} (envctl.yaml:2:3)"]


def test_a_hook_that_is_due_is_reported_with_its_own_place():
    web = replace(hooked("a", "b"), origins={"hooks.after_start.1": Place("envctl.yaml", 7, 9)})
    there = Observed({"web": made(web, hooks=digests(web)[:1])}, observed(web).images)

    (told,) = lines(compare(plan(web), there))
    assert told == "> hook web after_start hook 2 has not succeeded: b (envctl.yaml:7:9)"


def test_hooks_that_have_run_and_hooks_that_are_gone_change_nothing():
    assert compare(plan(hooked("a", "b")), observed(hooked("a", "b"))) == ()
    assert compare(plan(hooked("a")), observed(hooked("a", "b"))) == ()


def test_a_unit_that_is_to_be_started_again_needs_no_change_for_its_hooks():
    web = hooked("a")
    there = Observed({"web": made(web, status=Status.EXITED, hooks=())}, observed(web).images)

    assert [str(one.action) for one in compare(plan(web), there)] == ["start"]


def test_a_paused_task_goes_on():
    job = unit("job", kind="task")
    there = Observed({"job": made(job, status=Status.PAUSED)}, observed(job).images)

    assert lines(compare(plan(job), there)) == ["> start job it is paused (envctl.yaml:2:3)"]


def test_what_was_changed_by_other_means_is_mended_and_every_bit_of_it_told():
    place = Place("envctl.yaml", 9, 5)
    web = unit("web", origins={"mounts": place})
    there = observed(web)
    mended = Drift("its clock is 240 s behind", in_place=True)
    replaced = Drift("/a was replaced on this host", ("mounts", "0"))

    def after(*drift, wanted=web, **more):
        state = made(web, drift=drift, **more)
        return lines(compare(plan(wanted), replace(there, units={"web": state})))

    assert after(mended) == ["> start web its clock is 240 s behind (envctl.yaml:2:3)"]
    assert after(mended, replaced) == [
        "~ replace web its clock is 240 s behind (envctl.yaml:2:3)",
        "/a was replaced on this host (envctl.yaml:9:5)",
    ]
    assert after(mended, status=Status.EXITED) == [
        "> start web its clock is 240 s behind (envctl.yaml:2:3)",
        "it is not running (envctl.yaml:2:3)",
    ]
    assert after(replaced, wanted=unit("web", env={"A": "1"})) == [
        '~ replace web env A unset → "1" (envctl.yaml:2:3)',
        "/a was replaced on this host (envctl.yaml:2:3)",
    ]


def test_another_ready_image_replaces_and_is_reported_with_the_one_before():
    old, new = unit("db", image="pg:15"), unit("db", image="pg:16")

    assert lines(compare(plan(new), observed(old))) == [
        "~ replace db image pg:15 → pg:16 (envctl.yaml:2:3)"
    ]


def test_a_ready_image_in_the_place_of_a_build_is_reported_as_that():
    old, new = unit("db", packages("postgresql")), unit("db", image="pg:16")

    assert lines(compare(plan(new), observed(old))) == [
        "~ replace db image one that was built → pg:16 (envctl.yaml:2:3)"
    ]


def test_what_holds_an_environment_together_goes_after_all_that_is_in_it():
    there = observed(unit("web"), unit("db"), volumes=frozenset({"data"}))
    changes = down(there, volumes=True)
    *others, last = changes

    assert last.action is Action.TEAR_DOWN
    assert {*last.needs} == {one.key for one in others}
    assert {one.action for one in others} == {Action.REMOVE, Action.DELETE_VOLUME}
    discards = [one for one in others if one.action is Action.DELETE_VOLUME]
    assert all(
        {*one.needs} == {at.key for at in others if at.action is Action.REMOVE} for one in discards
    )


def test_what_nobody_asked_for_or_whose_profile_is_off_stays():
    there = observed(unit("web"), unit("db"), unit("tools"), unit("old"))
    wanted = replace(plan(unit("web")), left_out=("db",), inactive=("tools",))

    assert lines(compare(wanted, there)) == ["- remove old old was removed from the spec"]


def test_only_the_units_that_are_named_are_removed_or_stopped():
    there = observed(unit("web"), unit("db"))

    assert [change.unit for change in remove(there, frozenset({"db"}))] == ["db"]
    for names, cause in (
        ({"db"}, "it is being stopped"),
        ({"db", "web"}, "the environment is being stopped"),
        ({"db", "web", "gone"}, "the environment is being stopped"),
    ):
        changes = stop(there, units=frozenset(names))
        assert {change.unit for change in changes} == names & {"db", "web"}
        assert {change.causes[0].text for change in changes} == {cause}


@pytest.mark.parametrize("status", [Status.CREATED, Status.MISSING, Status.EXITED])
def test_what_never_ran_or_is_over_is_not_stopped(status):
    there = Observed({"web": made(unit("web"), status=status)})
    assert stop(there) == stop(there, units=frozenset({"web"})) == ()


@pytest.mark.parametrize(
    ("there", "keys"),
    [
        (Observed(leftovers=("network",)), ["tear-down"]),
        (Observed(volumes=frozenset("cab")), ["a", "b", "c", "tear-down"]),
    ],
)
def test_down_ends_what_is_left_where_no_unit_is(there, keys):
    changes = down(there, volumes=True)
    assert [change.unit or "tear-down" for change in changes] == keys
    assert len(changes[-1].needs) == len(keys) - 1


def test_a_unit_that_was_cut_off_is_replaced_for_its_recorded_cause():
    cut = made(unit("web"), unfinished=True)
    for cause, told in (
        ("it was being moved", "it was being moved"),
        ("", "an earlier `up` of it did not finish"),
    ):
        there = Observed({"web": replace(cut, cause=cause)}, observed(unit("web")).images)
        assert [line.rpartition(" (")[0] for line in lines(compare(plan(unit("web")), there))] == [
            f"~ replace web {told}"
        ]


def test_a_unit_that_does_not_live_is_replaced_and_not_reconfigured():
    old, new = unit("web", env={"A": "1"}), unit("web", env={"A": "2"})
    there = Observed({"web": made(old, status=Status.MISSING)}, observed(old).images)
    (change,) = compare(plan(new), there, reconfigure=frozenset({"process"}))
    assert change.action is Action.CREATE
    there = Observed({"web": made(old, status=Status.CREATED)}, observed(old).images)
    (change,) = compare(plan(new), there, reconfigure=frozenset({"process"}))
    assert change.action is Action.REPLACE


def test_what_can_be_mended_in_place_is_started_and_a_restart_that_is_due_does_the_same():
    one = unit("web")
    drift = (Drift("its address changed", in_place=True),)
    there = Observed({"web": made(one, drift=drift)}, observed(one).images)
    (change,) = compare(plan(one), there)
    assert change.action is Action.START

    hooked = replace(one, hooks=Hooks((("true",),)))
    there = Observed({"web": made(hooked, drift=drift, hooks=())}, observed(one).images)
    (change,) = compare(plan(hooked), there)
    assert (change.action, len(change.causes)) == (Action.START, 2)


def test_another_image_is_reported_at_the_place_that_names_it():
    place = Place("envctl.yaml", 9, 4)
    old = unit("db", image="pg:1")
    new = replace(old, source=ReadyImage("pg:2", place))
    (change,) = compare(plan(new), observed(old))
    assert change.causes[0].where == place
    (change,) = compare(plan(unit("db", image="pg:2")), observed(old))
    assert change.causes[0].where == old.where

    built = unit("web", script("a"))
    nowhere = replace(built, source=replace(built.source, where=None))
    (first, *_) = compare(plan(nowhere), NOTHING)
    assert first.causes[0].where == built.where


def test_a_build_of_an_unknown_form_before_is_told_to_have_changed():
    old, new = unit("web", script("a")), unit("web", script("b"))
    there = Observed({"web": made(old)}, {})
    assert all(change.causes for change in compare(plan(new), there))
    db = unit("db", image="pg:1")
    (change,) = compare(plan(db), Observed({"db": made(db, image="", build="0" * 24)}))
    assert change.causes[0].text == "image one that was built → pg:1"


def test_a_selection_takes_each_change_once_and_leaves_out_needs_that_do_not_exist():
    changes = (
        Change(Action.REMOVE, "old", ()),
        Change(Action.CREATE, "db", (), needs=("gone", "old")),
        Change(Action.CREATE, "web", (), needs=("db", "old", "db")),
        Change(Action.CREATE, "other", ()),
    )
    chosen = only(changes, frozenset({"web", "old", "db"}))
    assert [(change.unit, change.needs) for change in chosen] == [
        ("db", ()),
        ("web", ("db", "db")),
    ]
    freeing = (replace(changes[0], frees=("web",)), *changes[1:])
    assert [change.unit for change in only(freeing, frozenset({"web"}))] == ["old", "db", "web"]


def test_a_new_volumes_content_is_built_where_its_unit_is_made_and_the_volume_does_not_exist():
    content = script("fill")
    web = unit("web")
    seed = replace(unit("seed", content), name="seed", service="seed")
    new = NewVolume("seed", seed.source, "/data")
    with_new = replace(web, run=replace(web.run, volumes=(Volume("data", "/data", new=new),)))
    wanted = plan(with_new, seed)
    assert {one.unit for one in builds(wanted, {"web"}, NOTHING)} == {"web", "seed"}
    assert {one.unit for one in builds(wanted, {"web"}, Observed(volumes=frozenset({"data"})))} == {
        "web"
    }
    assert list(builds(wanted, (), NOTHING)) == []
    plain = replace(web, run=replace(web.run, volumes=(Volume("data", "/data"),)))
    assert {one.unit for one in builds(plan(plain, seed), {"web"}, NOTHING)} == {"web"}
