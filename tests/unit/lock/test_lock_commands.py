"""What the verbs do with a lock: made, checked, kept to. The engine here knows images by what is in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.errors import EnvctlError, UsageError
from envctl.lock.file import load_lock, save_lock
from envctl.lock.lock_differences import LockDifference
from envctl.lock.messages import change_text, difference_text, remedy
from envctl.lock.vendor.store import Store
from envctl.lock.vendor.writer import VendorStoreWriter
from envctl.plan.target import Target
from tests.support.paper import BASE
from tests.support.project import Project
from tests.unit.cli.conftest import envctl

__all__ = ["envctl"]


def said(found):
    return [difference_text(one) for one in found]


def moves(found):
    return [change_text(one) for one in found]


def test_a_lock_tells_what_the_mirror_had_and_a_second_one_moves_nothing(project, engine):
    lock, found = project.workspace().lock()

    assert lock.of("dev/web").manifest.packages == {"libc6": "1", "hello": "1.0"}
    assert found == ()
    assert load_lock(project.root) == lock
    before = (project.root / "envctl.lock").read_bytes()
    project.workspace().lock()
    assert (project.root / "envctl.lock").read_bytes() == before
    assert engine.made == ["dev/web"]


def test_a_mirror_that_moved_on_is_reported_by_check_with_both_versions(project, engine):
    project.workspace().lock()
    assert project.workspace().check_lock() == ()
    engine.forget()
    engine.mirror["hello"] = "2.0"
    assert project.workspace().check_lock() == ()  # nothing was built of it here

    (source,) = project.workspace().plan(Target("dev")).builds().values()
    engine.there[engine.name_of(source)] = {**BASE, "hello": "2.0"}

    found = project.workspace().check_lock()
    assert said(found) == ["dev/web: hello: locked 1.0, found 2.0"]
    assert "`envctl up ENV --frozen` builds what is locked" in remedy(found)


def test_update_moves_on_and_says_what_moved(project, engine):
    project.workspace().lock()
    engine.mirror["hello"] = "2.0"

    _, found = project.workspace().lock(update=["web"])

    assert moves(found) == ["dev/web: hello 1.0 → 2.0"]
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

    _, found = project.workspace().lock(update=["db"])

    assert moves(found) == ["dev/db: world 1 → 2"]


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

    _, found = project.workspace().lock()

    assert moves(found) == ["dev/web: world not installed → 1"]


def test_check_asks_no_engine_to_see_that_the_spec_has_moved_on(project, engine):
    project.workspace().lock()
    engine.answers = False
    project.spec("web: {packages: [hello, world], command: [x]}")

    assert [(one.kind, one.before, one.after) for one in project.workspace().check_lock()] == [
        ("spec", None, "package world")
    ]
    assert "no container engine answers" in project.events[-1].text


APP = """
web:
  packages: [hello]
  build:
    - copy: {from: app/, to: /srv/}
    - pip: {venv: /opt/web, requirements: /srv/requirements.txt}
    - npm: {directory: /srv}
    - run: make
  command: [x]
"""


@pytest.fixture
def app(project, engine):
    """A project with files that pip and npm read, locked."""
    engine.venv = {"Flask": "3.1.3", "click": "8.1", "gunicorn": "23.0.0"}
    project.write("app/requirements.txt", "-r more.txt\nflask==3.1.3\n")
    project.write("app/more.txt", "-c bounds.txt\ngunicorn>=20\n").write("app/bounds.txt", "")
    project.write("app/package.json", "{}").spec(APP)
    project.workspace().lock()
    assert project.workspace().check_lock() == ()
    return project


PIP = "app/requirements.txt, app/more.txt or app/bounds.txt changed since it was locked"


def test_files_that_changed_are_reported_by_name_with_what_they_ask_for_and_is_not_locked(app):
    app.write(
        "app/requirements.txt",
        "-r more.txt\nflask[async] == 3.2 --hash=x\nrich\nclick==8.1.0\n./here\nx; os_name=='y'\n",
    ).write("app/bounds.txt", "anything==1\n")

    (told,) = said(app.workspace().check_lock())
    assert told.splitlines() == [
        f"dev/web: {PIP}  (envctl.yaml:8:9)",
        "  flask[async] == 3.2: locked 3.1.3",
        "  rich: not locked",
    ]
    with pytest.raises(EnvctlError) as caught:
        app.workspace().up(Target("dev"), frozen=True)
    assert PIP in caught.value.details
    assert "`envctl lock` updates it" in caught.value.hint


def test_a_change_that_asks_for_nothing_else_is_reported_without_more(app):
    app.write("app/requirements.txt", "# a word\n-r more.txt\nflask==3.1.3\n")
    assert said(app.workspace().check_lock()) == [f"dev/web: {PIP}  (envctl.yaml:8:9)"]


def test_check_ends_with_what_to_do_next_and_is_a_line_if_quiet(app, envctl, monkeypatch):
    monkeypatch.chdir(app.root)
    assert envctl("lock", "--check", "-q").out == "envctl.lock matches the spec\n"
    app.write("app/package.json", '{"dependencies": {"x": "1"}}')
    app.write("app/requirements.txt", "")

    ended = envctl("lock", "--check")
    assert ended.code == 3
    assert ended.out.count("\n") == 3
    assert ended.err == "`envctl lock` updates envctl.lock and shows what changes\n"

    ended = envctl("lock", "--check", "-q")
    assert (ended.code, ended.out, ended.err) == (3, "envctl.lock: 2 differences\n", "")
    one, _ = envctl("lock", "--check", "--json").json["differences"]
    assert (one["kind"], one["name"], one["where"]) == ("spec", "npm /srv", "envctl.yaml:9:9")
    assert one["details"] == ["x 1: not locked"]
    assert one["said"] == "app/package.json or the step itself"
    assert len(one["before"]) == len(one["after"]) == 12


def test_a_lock_made_again_holds_pip_to_nothing_that_the_spec_asks_for_otherwise(app, engine):
    app.write("app/requirements.txt", "flask==3.2\nclick==8.1\nrich==1\n")
    app.workspace().lock()
    assert engine.constraints == "click==8.1\ngunicorn==23.0.0\n"


def test_a_build_that_fails_while_held_to_the_lock_says_how_to_let_go_of_it(app, engine):
    app.write("app/requirements.txt", "flask>=4\n")
    engine.fails = "ERROR: ResolutionImpossible"
    with pytest.raises(EnvctlError, match="ResolutionImpossible") as caught:
        app.workspace().lock()
    assert caught.value.hint == (
        "mend it; or, if the locked versions are the problem, `envctl lock --update web` drops them"
    )
    with pytest.raises(EnvctlError) as caught:
        app.workspace().lock(update=["web"])
    assert caught.value.hint == "mend it"


def test_so_many_packages_are_reported_as_a_reader_bears(app):
    app.write("app/requirements.txt", "".join(f"p{number}\n" for number in range(8)))
    (told,) = said(app.workspace().check_lock())
    assert told.splitlines()[1:] == [*(f"  p{number}: not locked" for number in range(5)), "  and 3 more"]  # fmt: skip


def test_packages_of_npm_are_reported_likewise(app):
    app.write("app/package.json", '{"dependencies": {"left-pad": "1.3.0", "x": 1}}')
    (told,) = said(app.workspace().check_lock())
    changed = "app/package.json or the step itself changed since it was locked"
    assert told.splitlines() == [
        f"dev/web: {changed}  (envctl.yaml:9:9)",
        "  left-pad 1.3.0: not locked",
        "  x: not locked",
    ]


def test_no_password_of_an_address_is_reported_when_packages_changed(app, envctl, monkeypatch):
    monkeypatch.chdir(app.root)
    app.write(
        "app/package.json",
        '{"dependencies": {"x": "git+https://hunter2@example.org/x", "y": "https://me:hunter2@example.org/y"}}',
    )
    app.write(
        "app/requirements.txt",
        "--index-url https://me:hunter2@example.org\nz @ https://me:hunter2@example.org/z.whl\nw\n",
    )

    ended = envctl("lock", "--check")

    assert "  x …: not locked" in ended.out
    assert "  w: not locked" in ended.out
    assert "hunter2" not in ended.out + ended.err + envctl("lock", "--check", "--json").out
    app.workspace().lock()
    assert "hunter2" not in (app.root / "envctl.lock").read_text()


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("run: make", "run: make all", ["run 1 of the build changed since it was locked  (envctl.yaml:10:9)"]),
        ("    - run: make\n", "", ["run 1: locked, not requested"]),
        ("packages: [hello]", "packages: [world]", [
            "package hello: locked, not requested",
            "package world: requested, not locked  (envctl.yaml:5:5)",
        ]),
        ("web:\n", "web:\n  base: debian:trixie\n", [
            "base: locked debian:bookworm, requested debian:trixie  (envctl.yaml:5:11)",
        ]),
        ("requirements: /srv/requirements.txt", "packages: [flask]", [
            "pip -r /srv/requirements.txt → /opt/web: locked, not requested",
            "pip flask → /opt/web: requested, not locked  (envctl.yaml:8:9)",
        ]),
        ("    - npm: {directory: /srv}\n    - run: make\n", "    - run: make\n    - npm: {directory: /srv}\n", [
            "steps: locked in another order, requested in this one  (envctl.yaml:4:3)",
        ]),
    ],
)  # fmt: skip
def test_each_thing_that_the_spec_asks_for_is_reported_with_both_sides_and_its_place(
    app, engine, old, new, lines
):
    engine.mirror["world"] = "1"
    assert old in APP
    app.spec(APP.replace(old, new))
    assert said(app.workspace().check_lock()) == [f"dev/web: {line}" for line in lines]


def test_the_same_version_with_other_content_is_reported_and_a_broken_package_by_its_state():
    one = LockDifference("pip /opt/web", "flask", "3.1 sha256:a", "3.1 sha256:b", ("dev/web",))
    assert difference_text(one) == (
        "dev/web: flask in /opt/web: locked and found 3.1, but with different content"
    )
    assert change_text(one) == "dev/web: flask in /opt/web 3.1: different content, same version"
    broken = LockDifference("packages", "curl", "8", "8 half-configured", ("dev/web",))
    assert difference_text(broken) == "dev/web: curl: locked 8, found 8 half-configured"
    gone = LockDifference("npm /srv", "a", "1 sha512-x", None, ("dev/web",))
    assert difference_text(gone) == "dev/web: a in /srv: locked 1, not found"


def test_check_names_another_architecture(project, engine):
    lock, _ = project.workspace().lock()
    save_lock(replace(lock, architecture="arm64"), project.root)

    found = project.workspace().check_lock()
    assert said(found) == ["architecture: locked arm64, found amd64"]
    assert "on such a machine" in remedy(found)


def test_check_names_units_that_are_not_locked_and_those_that_are_gone(project):
    with pytest.raises(EnvctlError, match=r"no envctl\.lock found"):
        project.workspace().check_lock()
    project.workspace().lock()
    project.spec("other: {packages: [hello], command: [x]}")

    found = project.workspace().check_lock()

    assert said(found) == [
        "dev/other: in the spec, not locked  (envctl.yaml:4:3)",
        "dev/web: locked, removed from the spec",
    ]
    assert remedy(found) == "`envctl lock` updates envctl.lock and shows what changes"


def test_the_lock_of_one_environment_leaves_that_of_the_others(project):
    project.write("environments/prod.yaml", "backend: memory\n")
    project.workspace().lock()
    project.write("environments/prod.yaml", "services: {web: {packages: !append [world]}}\n")

    lock, _ = project.workspace().lock(["dev"])

    assert [one.units for one in lock.builds] == [("dev/web", "prod/web")]


def frozen(project, *services):
    """What `up --frozen` does before it changes anything."""
    session, builds = project.workspace().frozen(services=services)
    return builds.prepare(
        {unit.service for unit in session.select(services).units}, session.backend
    )


def test_without_a_lock_nothing_is_frozen(project, engine):
    with pytest.raises(EnvctlError, match=r"no envctl\.lock found"):
        project.workspace().up(Target("dev"), frozen=True)

    assert engine.made == []


def test_a_lock_of_another_spec_is_refused_before_anything_is_done(project, engine):
    project.workspace().lock()
    engine.made.clear()
    project.spec("web: {packages: [hello, world], command: [x]}")

    with pytest.raises(EnvctlError, match="dev/web: package world: requested, not locked"):
        project.workspace().up(Target("dev"), frozen=True)

    assert engine.made == []
    assert project.states() == {"web": "missing"}


def test_what_is_as_it_is_locked_is_not_built_again(project, engine):
    project.workspace().lock()
    engine.made.clear()

    assert frozen(project) is False
    assert engine.made == []


def test_what_does_not_exist_is_built_and_compared(project, engine):
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

    assert caught.value.details == "dev/web: hello: locked 1.0, found 2.0"
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


def test_a_base_that_is_another_is_reported_before_it_is_built_on(project, engine):
    project.workspace().lock()
    engine.forget()
    engine.made.clear()
    engine.there["debian:bookworm"] = {"libc6": "2"}

    with pytest.raises(EnvctlError, match="base debian:bookworm: libc6: locked 1, found 2"):
        frozen(project)

    assert engine.made == []


def test_a_ready_image_is_locked_as_it_is(project, engine):
    project.spec("cache: {image: redis:7}")
    project.workspace().lock()
    assert frozen(project) is False

    engine.there["redis:7"] = {"hello": "9"}

    with pytest.raises(EnvctlError, match="dev/cache: image: locked id"):
        frozen(project)


def test_offline_with_nothing_kept_says_how_to_keep_it(project):
    project.workspace().lock()

    with pytest.raises(EnvctlError, match=r"envctl\.vendor has no files"):
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
    save_lock(replace(lock, vendor=vendor), project.root)
    keeping(project, hello="evil")
    engine.made.clear()
    engine.forget()

    with pytest.raises(EnvctlError, match=r"envctl\.vendor does not match envctl\.lock"):
        project.workspace().up(Target("dev"), frozen=True, offline=True)

    assert engine.made == []


def test_files_that_came_from_elsewhere_are_not_vouched_for_by_keeping_more(project):
    keeping(project, hello="evil")

    with pytest.raises(EnvctlError, match=r"envctl\.vendor does not match envctl\.lock"):
        project.workspace().lock(vendor=True)

    assert load_lock(project.root).vendor == ""


def test_a_lock_made_again_still_vouches_for_what_is_kept(project):
    lock, _ = project.workspace().lock()
    digest = keeping(project, hello="good").digest
    save_lock(replace(lock, vendor=digest), project.root)

    project.workspace().lock(update=[])

    assert load_lock(project.root).vendor == digest


def test_what_was_kept_before_something_failed_is_vouched_for(project, monkeypatch):
    lock, _ = project.workspace().lock()
    digest = keeping(project, hello="good").digest
    save_lock(replace(lock, vendor=digest), project.root)

    def fails(self, name):
        keeping(project)
        path = project.root / "more.deb"
        path.write_text("more")
        self._store.keep(path, "deb", "more", "1", control="Package: more\nVersion: 1\n")
        raise EnvctlError("the mirror is gone")

    monkeypatch.setattr(VendorStoreWriter, "_keep_base", fails)
    with pytest.raises(EnvctlError, match="the mirror is gone"):
        project.workspace().lock(vendor=True)

    assert load_lock(project.root).vendor == Store(project.root).digest != digest


@pytest.mark.parametrize("there", ["1", "2"])
def test_a_base_that_is_kept_whole_is_that_very_image(project, engine, there):
    lock, _ = project.workspace().lock()
    registry, kept = f"sha256:{'a' * 64}", f"sha256:{'1' * 64}"
    store = Store(project.root)
    (project.root / "image.tar").write_text("image")
    store.keep(project.root / "image.tar", "image", "debian:bookworm", registry, image=kept)
    store.save()
    bases = {name: replace(base, image=registry) for name, base in lock.bases.items()}
    save_lock(replace(lock, bases=bases, vendor=store.digest), project.root)
    engine.ids["debian:bookworm"] = f"sha256:{there * 64}"
    session, frozen = project.workspace().frozen(offline=True)
    (unit,) = session.plan.units

    if there == "1":
        frozen.ensure_base(unit.source.base)
        assert engine.restored == {}
    else:
        with pytest.raises(EnvctlError, match="base debian:bookworm: image: locked sha256:a"):
            frozen.ensure_base(unit.source.base)
        assert engine.restored == {"debian:bookworm": kept}


def test_one_of_the_services_that_share_a_machine_is_held_to_the_locks_of_all(tmp_path, engine):
    project = Project(tmp_path, backend="vagrant", environ={}).spec(
        "web: {packages: [hello], command: [x]}\ndb: {packages: [world], command: [x]}",
        top="options: {vagrant: {layout: single}}\n",
    )
    engine.mirror["world"] = "1.0"
    project.workspace().lock()

    assert frozen(project, "web") is True


WEB = "web: {packages: [hello], command: [x]PLATFORM}\n"


def with_platform(project, platform):
    return project.spec(WEB.replace("PLATFORM", f", platform: {platform}" if platform else ""))


def test_a_lock_of_one_platform_is_not_taken_for_another(project, engine):
    with_platform(project, "").workspace().lock()
    with_platform(project, "linux/amd64")

    assert said(project.workspace().check_lock()) == [
        "dev/web: platform linux/amd64: requested, not locked  (envctl.yaml:4:52)"
    ]
    lock, _ = project.workspace().lock()
    assert [*lock.bases] == ["envctl-platform/linux-amd64/debian:bookworm"]
    assert load_lock(project.root) == lock
    assert project.workspace().check_lock() == ()
    with_platform(project, "linux/arm64")
    assert said(project.workspace().check_lock()) == [
        "dev/web: platform: locked linux/amd64, requested linux/arm64  (envctl.yaml:4:52)"
    ]


def test_a_lock_of_images_that_do_not_name_an_architecture_has_that_of_the_platform(
    project, engine
):
    engine.architecture = ""
    with_platform(project, "linux/arm64")

    lock, _ = project.workspace().lock()

    assert lock.architecture == "arm64"
    assert project.workspace().check_lock() == ()


def test_a_lock_without_a_known_architecture_can_be_read_again(project, engine):
    engine.architecture = ""

    lock, _ = project.workspace().lock()

    assert lock.architecture == ""
    assert load_lock(project.root) == lock
    assert project.workspace().check_lock() == ()
    assert frozen(project) is False


def test_an_architecture_that_images_do_not_name_any_more_stays_that_of_the_lock(project, engine):
    project.workspace().lock()
    engine.architecture = ""

    lock, _ = project.workspace().lock()

    assert lock.architecture == "amd64"


def test_an_image_of_another_platform_than_the_spec_asks_for_is_not_locked(project, engine):
    with_platform(project, "linux/arm64")

    with pytest.raises(EnvctlError, match="should be for linux/arm64, but is for amd64"):
        project.workspace().lock()


def test_packages_of_two_platforms_are_not_kept_together(project, engine):
    project.spec(
        WEB.replace("PLATFORM", "")
        + WEB.replace("web", "arm").replace("PLATFORM", ", platform: linux/arm64")
    )

    with pytest.raises(EnvctlError, match="requested: linux/arm64 and the engine's own") as refused:
        project.workspace().lock(vendor=True)

    assert refused.value.where is not None
    assert engine.made == []


def test_packages_of_another_platform_are_not_kept_beside_those_that_are(project, engine):
    lock, _ = with_platform(project, "").workspace().lock()
    save_lock(replace(lock, vendor=keeping(project, hello="x").digest), project.root)
    with_platform(project, "linux/amd64")

    with pytest.raises(EnvctlError, match="requested: linux/amd64 and the engine's own") as refused:
        project.workspace().lock(vendor=True)

    assert "remove envctl.vendor" in refused.value.hint
    project.workspace().lock()
