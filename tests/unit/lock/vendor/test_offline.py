"""What is kept of a lock. The engine here knows images by what is in them."""

from __future__ import annotations

import pytest

from envctl.backends.vagrant.box import boot
from envctl.errors import EnvctlError
from envctl.lock.file import load_lock
from envctl.lock.model import Manifest
from envctl.lock.vendor.offline import OfflineBuilder
from envctl.lock.vendor.store import Store
from envctl.plan.model import Base
from envctl.progress import no_progress
from tests.support.paper import opened_with
from tests.support.project import Project

PACKAGES = ("busybox-static", "cpio", "docker.io", "e2fsprogs", "kmod", "openssh-server", "systemd-sysv")  # fmt: skip
ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")


@pytest.fixture
def engine(monkeypatch):
    made = opened_with(monkeypatch)
    made.mirror |= dict.fromkeys(PACKAGES, "1")
    made.ids = {"redis:7": ONE, "debian:bookworm": ONE}
    return made


@pytest.fixture
def project(tmp_path, engine):
    return Project(tmp_path, backend="memory", environ={}).spec("cache: {image: redis:7}")


def vendored(project):
    """Keep what is locked; what is kept, by kind, and of what machines need what was asked for."""
    project.workspace().lock(vendor=True)
    index = Store(project.root).index
    return (
        sorted((one.kind, one.name) for one in index.files.values()),
        sorted(key.partition(" ")[2] for key in index.extras),
    )


def test_of_a_ready_image_its_machines_packages_and_what_they_start_from_are_kept(project, engine):
    files, beside = vendored(project)

    debs = [("deb", name) for name in sorted((*PACKAGES, "linux-image-cloud-amd64"))]
    assert files == [*debs, ("image", "debian:bookworm"), ("image", "redis:7")]
    assert beside == [
        "busybox-static cpio kmod",
        "docker.io",
        "e2fsprogs openssh-server systemd-sysv",
    ]
    assert vendored(project) == (files, beside)
    engine.forget()
    assert vendored(project) == (files, beside)


def test_whatever_file_is_gone_is_fetched_again(project):
    vendored(project)
    store = Store(project.root)
    for kept in store.index.files.values():
        (store.folder / "sha256" / kept.sha256).unlink()

    vendored(project)

    store = Store(project.root)
    assert [kept.name for kept in store.index.files.values() if not store.has(kept)] == []


def test_what_machines_of_earlier_images_needed_is_kept_no_longer(project, engine):
    vendored(project)
    engine.mirror["dpkg"] = "1"
    project.spec("web: {packages: [dpkg], command: [x]}")

    files, beside = vendored(project)

    assert ("deb", "docker.io") not in files
    assert beside == ["busybox-static cpio kmod", "e2fsprogs openssh-server systemd-sysv"]


@pytest.mark.parametrize("there", [ONE, OTHER])
def test_what_only_machines_start_from_is_the_very_image_that_is_kept(project, engine, there):
    vendored(project)
    engine.ids["debian:bookworm"] = there
    _, frozen = project.workspace().frozen(offline=True)
    engine.restore = lambda _file, *, name, identity: engine.ids.update({name: identity})

    frozen.ensure_base(Base("debian:bookworm", "debian:bookworm"))

    assert engine.find("debian:bookworm") == ONE


def test_what_will_ask_a_registry_anyway_is_reported(project, engine):
    engine.mirror["npm"] = "1"
    project.spec("web: {packages: [npm], build: [{npm: {packages: [serve]}}], command: [x]}")

    vendored(project)

    (told,) = [one.text for one in project.events if "registry" in one.text]
    assert told.startswith("dev/web cannot be built offline: `npm serve` (envctl.yaml:4:")


def test_a_machine_that_units_share_is_made_of_what_is_kept_for_one_of_them(project, engine):
    engine.mirror |= {"dpkg": "1", "less": "1", "file": "1"}
    project.spec(
        """
        one: {packages: [dpkg, less], command: [x]}
        two: {packages: [dpkg, file], command: [x]}
        """
    )
    vendored(project)
    lock = load_lock(project.root)
    offline = OfflineBuilder(engine, lock, project.root, no_progress)
    one, two = (lock.of(f"dev/{name}").manifest.packages for name in ("one", "two"))
    machine = boot.machine_build("both")

    given = offline.extra_inputs(machine, Manifest({**one, **two}))

    assert {f"debs/{name}.deb" for name in boot.PACKAGES} <= set(given.files)
    with pytest.raises(EnvctlError, match="packages that machines need on both are not in"):
        offline.extra_inputs(machine, Manifest({**one, **two, "less": "2", "file": "2"}))
