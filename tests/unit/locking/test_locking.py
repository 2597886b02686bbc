"""What the verbs do with a lock: made, checked, kept to. The engine here knows images by what is in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.errors import EnvctlError, UsageError
from envctl.lock import text
from envctl.lock.vendor import Store
from envctl.target import Target
from envctl.vendoring import Vendor
from tests.support.paper import BASE
from tests.support.project import Project


def said(found):
    return [str(one) for one in found]


def test_a_lock_tells_what_the_mirror_had_and_a_second_one_moves_nothing(project, engine):
    lock, moved = project.workspace().lock()

    assert lock.of("dev/web").manifest.packages == {"libc6": "1", "hello": "1.0"}
    assert moved == ()
    assert text.load(project.root) == lock
    before = (project.root / "envctl.lock").read_bytes()
    project.workspace().lock()
    assert (project.root / "envctl.lock").read_bytes() == before
    assert engine.made == ["dev/web"]


def test_a_mirror_that_moved_on_is_told_by_check_with_both_versions(project, engine):
    project.workspace().lock()
    assert project.workspace().check_lock() == ()
    engine.forget()
    engine.mirror["hello"] = "2.0"
    assert project.workspace().check_lock() == ()  # nothing was built of it here

    (source,) = project.workspace().plan(Target("dev")).builds().values()
    engine.there[engine.name_of(source)] = {**BASE, "hello": "2.0"}

    assert said(project.workspace().check_lock()) == ["hello 1.0 → 2.0"]


def test_update_moves_on_and_says_what_moved(project, engine):
    project.workspace().lock()
    engine.mirror["hello"] = "2.0"

    _, moved = project.workspace().lock(update=["web"])

    assert said(moved) == ["hello 1.0 → 2.0"]
    assert moved[0].units == ("dev/web",)
    assert project.workspace().check_lock() == ()


def test_update_of_one_service_leaves_the_others(project, engine):
    project.spec(
        """
        web: {packages: [hello], command: [x]}
        db: {packages: [world], command: [x]}
        """
    )
    engine.mirror["world"] = "1"
    project.workspace().lock()
    engine.mirror |= {"hello": "2.0", "world": "2"}

    _, moved = project.workspace().lock(update=["db"])

    assert said(moved) == ["world 1 → 2"]


def test_update_of_what_there_is_not_is_wrong_usage_and_changes_nothing(project):
    with pytest.raises(UsageError, match="'wbe'") as caught:
        project.workspace().lock(update=["wbe"])

    assert "web" in caught.value.hint
    assert not (project.root / "envctl.lock").exists()


def test_what_has_to_be_built_again_keeps_to_the_locked_versions_where_it_can(project, engine):
    engine.mirror["hello"] = "old-1"
    project.workspace().lock()
    engine.mirror |= {"hello": "2.0", "world": "1"}
    project.spec("web: {packages: [hello, world], command: [x]}")

    _, moved = project.workspace().lock()

    assert said(moved) == ["world not there → 1"]


def test_check_asks_no_engine_to_see_that_the_spec_has_moved_on(project, engine):
    project.workspace().lock()
    engine.answers = False
    project.spec("web: {packages: [hello, world], command: [x]}")

    assert [(one.kind, one.before, one.after) for one in project.workspace().check_lock()] == [
        ("spec", None, "package world")
    ]
    assert "no container engine answers" in project.events[-1].text


def test_check_names_another_architecture(project, engine):
    lock, _ = project.workspace().lock()
    text.save(replace(lock, architecture="arm64"), project.root)

    assert said(project.workspace().check_lock()) == ["architecture arm64 → amd64"]


def test_check_names_units_that_are_not_locked_and_those_that_are_gone(project):
    with pytest.raises(EnvctlError, match=r"there is no envctl\.lock"):
        project.workspace().check_lock()
    project.workspace().lock()
    project.spec("other: {packages: [hello], command: [x]}")

    found = project.workspace().check_lock()

    assert [(one.name, one.before is None) for one in found] == [
        ("dev/other", True),
        ("dev/web", False),
    ]


def test_the_lock_of_one_environment_leaves_that_of_the_others(project):
    project.write("environments/prod.yaml", "backend: memory\n")
    project.workspace().lock()
    project.write("environments/prod.yaml", "services: {web: {packages: !append [world]}}\n")

    lock, _ = project.workspace().lock(["dev"])

    assert [one.units for one in lock.builds] == [("dev/web", "prod/web")]


def frozen(project, *services):
    """What `up --frozen` does before it changes anything."""
    workspace = project.workspace()
    opened = workspace._open(Target("dev"))
    kept = workspace._frozen(opened, services, offline=False)
    return kept.prepare({unit.service for unit in opened.select(services).units})


def test_without_a_lock_nothing_is_frozen(project, engine):
    with pytest.raises(EnvctlError, match=r"there is no envctl\.lock"):
        project.workspace().up(Target("dev"), frozen=True)

    assert engine.made == []


def test_a_lock_of_another_spec_is_refused_before_anything_is_done(project, engine):
    project.workspace().lock()
    engine.made.clear()
    project.spec("web: {packages: [hello, world], command: [x]}")

    with pytest.raises(EnvctlError, match="asked for now: package world"):
        project.workspace().up(Target("dev"), frozen=True)

    assert engine.made == []
    assert project.states() == {"web": "missing"}


def test_what_is_as_it_is_locked_is_not_built_again(project, engine):
    project.workspace().lock()
    engine.made.clear()

    assert frozen(project) is False
    assert engine.made == []


def test_what_is_not_there_is_built_and_compared(project, engine):
    project.workspace().lock()
    engine.forget()

    assert frozen(project) is True


def test_a_build_that_comes_out_otherwise_is_refused_and_nothing_is_replaced(project, engine):
    project.workspace().lock()
    project.workspace().up(Target("dev"))
    before = project.ids()
    engine.forget()
    engine.mirror["hello"] = "2.0"

    with pytest.raises(EnvctlError) as caught:
        project.workspace().up(Target("dev"), frozen=True)

    assert caught.value.details == "dev/web: hello 1.0 → 2.0"
    assert "nothing was replaced" in caught.value.brief
    assert project.ids() == before


def test_an_image_that_is_another_is_built_again_with_the_locked_versions(project, engine):
    engine.mirror["hello"] = "old-1"
    project.workspace().lock()
    engine.mirror["hello"] = "2.0"
    (name,) = (name for name in engine.there if name.startswith("p:"))
    engine.there[name] = {**BASE, "hello": "2.0"}

    assert frozen(project) is True
    assert engine.there[name]["hello"] == "old-1"


def test_a_base_that_is_another_is_told_before_it_is_built_on(project, engine):
    project.workspace().lock()
    engine.forget()
    engine.made.clear()
    engine.there["debian:bookworm"] = {"libc6": "2"}

    with pytest.raises(EnvctlError, match="base debian:bookworm: libc6 1 → 2"):
        frozen(project)

    assert engine.made == []


def test_a_ready_image_is_locked_as_it_is(project, engine):
    project.spec("cache: {image: redis:7}")
    project.workspace().lock()
    assert frozen(project) is False

    engine.there["redis:7"] = {"hello": "9"}

    with pytest.raises(EnvctlError, match="dev/cache: image id"):
        frozen(project)


def test_offline_with_nothing_kept_says_how_to_keep_it(project):
    project.workspace().lock()

    with pytest.raises(EnvctlError, match=r"nothing is kept in envctl\.vendor"):
        project.workspace().up(Target("dev"), frozen=True, offline=True)


def keeping(project, **files):
    """Some file is in the store, as another run or another person left it."""
    store = Store(project.root)
    for name, content in files.items():
        path = project.root / f"{name}.deb"
        path.write_text(content)
        store.keep(path, "deb", name, "1", control=f"Package: {name}\nVersion: 1\n")
    store.save()
    return store


@pytest.mark.parametrize("vendor", ["", f"sha256:{'0' * 64}"])
def test_files_that_the_lock_does_not_vouch_for_are_not_built_of(project, engine, vendor):
    lock, _ = project.workspace().lock()
    text.save(replace(lock, vendor=vendor), project.root)
    keeping(project, hello="evil")
    engine.made.clear()
    engine.forget()

    with pytest.raises(EnvctlError, match=r"envctl\.vendor is not what envctl\.lock vouches for"):
        project.workspace().up(Target("dev"), frozen=True, offline=True)

    assert engine.made == []


def test_files_that_came_from_elsewhere_are_not_vouched_for_by_keeping_more(project):
    keeping(project, hello="evil")

    with pytest.raises(EnvctlError, match=r"envctl\.vendor is not what envctl\.lock vouches for"):
        project.workspace().lock(vendor=True)

    assert text.load(project.root).vendor == ""


def test_a_lock_made_again_still_vouches_for_what_is_kept(project):
    lock, _ = project.workspace().lock()
    digest = keeping(project, hello="good").digest
    text.save(replace(lock, vendor=digest), project.root)

    project.workspace().lock(update=[])

    assert text.load(project.root).vendor == digest


def test_what_was_kept_before_something_failed_is_vouched_for(project, monkeypatch):
    lock, _ = project.workspace().lock()
    digest = keeping(project, hello="good").digest
    text.save(replace(lock, vendor=digest), project.root)

    def fails(self, name):
        keeping(project)
        path = project.root / "more.deb"
        path.write_text("more")
        self._store.keep(path, "deb", "more", "1", control="Package: more\nVersion: 1\n")
        raise EnvctlError("the mirror is gone")

    monkeypatch.setattr(Vendor, "_base", fails)
    with pytest.raises(EnvctlError, match="the mirror is gone"):
        project.workspace().lock(vendor=True)

    assert text.load(project.root).vendor == Store(project.root).digest != digest


@pytest.mark.parametrize("there", ["1", "2"])
def test_a_base_that_is_kept_whole_is_that_very_image(project, engine, there):
    lock, _ = project.workspace().lock()
    registry, kept = f"sha256:{'a' * 64}", f"sha256:{'1' * 64}"
    store = Store(project.root)
    (project.root / "image.tar").write_text("image")
    store.keep(project.root / "image.tar", "image", "debian:bookworm", registry, image=kept)
    store.save()
    bases = {name: replace(base, image=registry) for name, base in lock.bases.items()}
    text.save(replace(lock, bases=bases, vendor=store.digest), project.root)
    engine.ids["debian:bookworm"] = f"sha256:{there * 64}"
    workspace = project.workspace()
    opened = workspace._open(Target("dev"))
    frozen = workspace._frozen(opened, (), offline=True)
    (unit,) = opened.plan.units

    if there == "1":
        frozen.have_base(unit.source.base)
        assert engine.restored == {}
    else:
        with pytest.raises(EnvctlError, match="base debian:bookworm: image sha256:a"):
            frozen.have_base(unit.source.base)
        assert engine.restored == {"debian:bookworm": kept}


def test_one_of_the_services_that_share_a_machine_is_held_to_the_locks_of_all(tmp_path, engine):
    project = Project(tmp_path, backend="vagrant", environ={}).spec(
        "web: {packages: [hello], command: [x]}\ndb: {packages: [world], command: [x]}",
        top="options: {vagrant: {layout: single}}\n",
    )
    engine.mirror["world"] = "1.0"
    project.workspace().lock()

    assert frozen(project, "web") is True
