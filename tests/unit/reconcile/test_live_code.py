"""What is done to a unit whose files have changed: put in place, rebuilt, restarted, or left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.host.source_tree import EntryKind, SourceEntry, SourceTree
from envctl.plan.digest import build_digest, digest
from envctl.plan.model import (
    Base,
    Build,
    CopyFiles,
    CopyFromStage,
    DockerfileBuild,
    MakeDirectories,
    Mount,
    NpmInstall,
    PipInstall,
    ReadyImage,
    Run,
    RunCommand,
    Step,
    Unit,
    Volume,
)
from envctl.plan.state import Observed, Status, UnitState
from envctl.reconcile.live_code import Reaction, after_sync, decide, known, live_files
from envctl.reconcile.live_routes import routes
from envctl.reconcile.synced_files import load, save, with_synced
from tests.support.plans import plan as plan_of

BASE = Base("debian:bookworm", "debian:bookworm")


def copy(files: dict[str, str], *, source: str = "app", target: str = "/srv/web") -> CopyFiles:
    folders = {path.rpartition("/")[0] for path in files} - {""}
    entries = [SourceEntry(path, EntryKind.FOLDER) for path in folders]
    entries += [SourceEntry(path, digest=content) for path, content in files.items()]
    entries.sort(key=lambda entry: entry.path)
    return CopyFiles(source, target, digest(files), "web", tree=SourceTree(source, tuple(entries)))


RUN = Run()


def unit(*steps, run: Run = RUN, restart_on: tuple[str, ...] = ()) -> Unit:
    source = Build(BASE, steps, build_digest(BASE, steps))
    return Unit("web", "web", source, run, restart_on=restart_on)


def state(of: Unit, status: Status = Status.RUNNING) -> UnitState:
    assert not isinstance(of.source, ReadyImage)
    return UnitState("web", "web", status, build=of.source.digest, id="one")


def reaction(before: Unit, after: Unit, **options) -> Reaction:
    return decide(after, state(before), known(before, "one"), **options).reaction


def test_what_has_changed_in_the_last_steps_is_put_in_place():
    before = unit(copy({"a": "1", "b": "1", "c": "1"}), MakeDirectories(("/srv",), "web"))
    after = unit(copy({"a": "2", "b": "1", "d/e": "1"}), MakeDirectories(("/srv",), "web"))

    decision = decide(after, state(before), known(before, "one"))

    assert decision.reaction is Reaction.SYNC
    assert set(decision.put) == {"/srv/web/a", "/srv/web/d", "/srv/web/d/e"}
    assert decision.remove == ("/srv/web/c",)
    assert reaction(after, after) is Reaction.NOTHING


@pytest.mark.parametrize(
    "later",
    [RunCommand(("make",)), PipInstall("/opt/venv"), NpmInstall("/srv/web")],
    ids=["run", "pip", "npm"],
)
def test_what_a_later_step_may_use_is_rebuilt_and_the_route_names_the_step(later):
    before, after = unit(copy({"a": "1"}), later), unit(copy({"a": "2"}), later)

    assert reaction(before, after) is Reaction.REBUILD
    (route,) = routes(after)
    assert (route.files, route.effect) == ("app", "rebuilt")
    assert "may use it" in route.why
    assert reaction(unit(later, copy({"a": "1"})), unit(later, copy({"a": "2"}))) is Reaction.SYNC


def test_a_dockerfiles_context_is_rebuilt():
    def of(content: str) -> Unit:
        source = DockerfileBuild("Dockerfile", ".", content=content, digest=content)
        return Unit("web", "web", source)

    assert reaction(of("1"), of("2")) is Reaction.REBUILD
    assert {route.why for route in routes(of("1"))} == {
        "any instruction of the Dockerfile may use it"
    }


def test_other_steps_wait_for_up_and_so_does_a_copy_of_the_spec():
    before = unit(copy({"a": "1"}))
    assert reaction(before, unit(copy({"a": "1"}, target="/opt"))) is Reaction.SPEC
    assert reaction(before, unit(replace(copy({"a": "1"}), mode="0600"))) is Reaction.SPEC
    one, two = (copy({"envctl.yaml": text}, source=".") for text in "12")
    assert reaction(unit(one), unit(two)) is Reaction.SPEC
    assert not [path for path in live_files(unit(one)) if "envctl" in path]


@pytest.mark.parametrize(
    ("before", "after", "target", "why"),
    [
        ({"a": "1", "b": "1"}, {"a": "1"}, "/etc/web", "a package may have one"),
        ({"a": "1", "b": "1"}, {"a": "1"}, "/usr/local/share", ""),
        ({"a": "1"}, {"a/b": "1"}, "/srv", "has become a folder"),
        ({"a/b": "1"}, {"a": "1"}, "/srv", "has become a file"),
        ({"a": "1"}, {"a": "1", "b/c": "1"}, "/etc", "may be there already"),
    ],
)
def test_what_cannot_be_told_is_rebuilt(before, after, target, why):
    old, new = unit(copy(before, target=target)), unit(copy(after, target=target))

    decision = decide(new, state(old), known(old, "one"))

    assert decision.reaction is (Reaction.REBUILD if why else Reaction.SYNC)
    assert why in decision.cause


def test_a_removed_file_that_an_earlier_step_has_too_is_rebuilt():
    first, later = copy({"a": "0"}, source="base"), RunCommand(("true",))
    before = unit(first, later, copy({"a": "1", "b": "1"}))
    after = unit(first, later, copy({"b": "1"}))
    assert reaction(before, after) is Reaction.REBUILD


def test_a_unit_of_other_files_is_rebuilt_unless_it_is_known_what_it_has():
    before, after = unit(copy({"a": "1"})), unit(copy({"a": "2"}))
    assert decide(after, state(before), None).reaction is Reaction.REBUILD
    assert decide(after, state(before), known(after, "other")).reaction is Reaction.REBUILD
    assert decide(before, state(before), None).reaction is Reaction.NOTHING
    stopped = decide(after, state(before, Status.EXITED), known(before, "one"))
    assert (stopped.reaction, stopped.cause) == (Reaction.REBUILD, "it is exited")


def test_what_a_volume_has_in_its_place_is_rebuilt_and_a_mount_is_visible():
    run = Run(mounts=(Mount("/home/me/live", "/srv/live"),), volumes=(Volume("d", "/srv/web"),))
    before, after = unit(copy({"a": "1"}), run=run), unit(copy({"a": "2"}), run=run)
    assert reaction(before, after) is Reaction.REBUILD
    assert [(route.files, route.effect) for route in routes(after)] == [
        ("app", "rebuilt"),
        ("/home/me/live", "visible"),
    ]


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [("conf/a.ini", True), ("conf", True), ("conf2/a", False), ("app/x", False)],
)
def test_a_unit_is_restarted_on_its_paths_only(changed, restarts):
    one = unit(copy({"a": "1"}), restart_on=("conf",))
    assert decide(one, state(one), known(one, "one"), changed=[changed]).restart is restarts
    image = Unit("web", "web", ReadyImage("redis"), restart_on=("conf",))
    now = UnitState("web", "web", Status.RUNNING, id="one")
    assert decide(image, now, None, changed=[changed]).restart is restarts


TREES = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), st.sampled_from("123"))


@given(st.lists(TREES, min_size=2, max_size=5))
def test_files_put_in_place_one_batch_after_another_are_those_of_the_last_plan(trees):
    before = unit(copy(trees[0]))
    kept, there = known(before, "one"), dict(known(before, "one").files)
    for tree in trees[1:]:
        after = unit(copy(tree))
        decision = decide(after, state(before), kept)
        files = live_files(after)
        there |= {path: files[path].identity for path in decision.put}
        there = {path: one for path, one in there.items() if path not in decision.remove}
        if decision.reaction is Reaction.SYNC:
            kept = after_sync(after, kept, decision)
        assert there == known(after, "one").files
        assert decide(after, state(before), kept).reaction is Reaction.NOTHING


def test_a_synced_unit_counts_as_made_of_the_build_as_long_as_it_is_the_same(tmp_path):
    before, after = unit(copy({"a": "1"})), unit(copy({"a": "2"}))
    kept = known(before, "one")
    kept = after_sync(after, kept, decide(after, state(before), kept))
    save(tmp_path, "dev@memory", {"web": kept})
    units = load(tmp_path, "dev@memory")
    assert units == {"web": kept}
    plan = plan_of(after)

    def build(observed: UnitState) -> str:
        return with_synced(Observed({"web": observed}), plan, units).units["web"].build

    assert build(state(before)) == after.source.digest
    assert build(replace(state(before), id="two")) == before.source.digest
    assert load(tmp_path, "prod@memory") == {}


def test_a_file_of_a_stage_is_rebuilt_and_another_step_in_it_waits_for_up():
    def of(*steps: Step) -> Unit:
        build = Build(BASE, steps, build_digest(BASE, steps))
        taken = CopyFromStage("/out", "/srv", build.digest, "compile", build)
        return unit(taken, copy({"a": "1"}))

    before, after = of(copy({"go": "1"})), of(copy({"go": "2"}))

    assert reaction(before, after) is Reaction.REBUILD
    assert reaction(before, of(copy({"go": "1"}), RunCommand(("make",)))) is Reaction.SPEC
    assert [(route.effect, route.files) for route in routes(after)] == [
        ("rebuilt", "app"),
        ("synced", "app"),
    ]
