"""A mirror that moves on, and one that is gone: what a lock and kept packages are for."""

from __future__ import annotations

import io
import json
import shutil
import tarfile

import pytest

from envctl.plan.image_names import base_image
from tests.support.machines import remove_boxes
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
web:
  packages: [envctl-probe]
  build:
    - run: echo NAME; cat /proc/net/route > /srv/routes; ls -A /media /mnt > /srv/mounted
  command: [sleep, infinity]
"""


def locked_project(make_project, base_name, backend="docker", top=""):
    project = make_project(backend=backend)
    # Its boxes are found by that in the end.
    project.spec(SPEC.replace("NAME", project.name), top=top)
    text = (project.root / "envctl.yaml").read_text()
    project.write(
        "envctl.yaml", text.replace("base: debian:bookworm", f"base: {{image: {base_name}}}")
    )
    return project


DEAD = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")  # fmt: skip


def images_of(engine, project):
    """All images that were made for the project."""
    return engine.api.images(filters={"label": f"dev.envctl.project={project.name}"})


def remove_images(engine, project):
    for image in images_of(engine, project):
        engine.api.remove_image(image["Id"], force=True)


def version(project, unit="web"):
    return project.run(unit, "cat", "/usr/share/envctl-probe/version")[1]


def done(result, code=0):
    assert result.returncode == code, result.stdout + result.stderr
    return result


def moved_on(project, tmp_path, repository):
    """The mirror has a newer version, and another checkout of the project has built it."""
    repository.publish("envctl-probe", "2.0")
    other = tmp_path / "other"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns(".envctl"))
    shown = done(project.cli("-C", str(other), "lock", "--update")).stdout
    assert shown == "dev/web: envctl-probe 1.0 → 2.0\n"


def test_a_mirror_that_moves_on_is_told_refused_and_done_without(
    engine, make_project, tmp_path, repository, base
):
    """Vendoring takes long. So at the end, the same project shows that a changed file in the store is refused."""
    repository.publish("envctl-probe", "1.0")
    project = locked_project(make_project, base(alone=True))
    done(project.cli("lock", "--vendor"))
    done(project.cli("up", "dev", "--frozen"))
    done(project.cli("lock", "--check"))
    running = project.ids()
    assert version(project) == "1.0"

    moved_on(project, tmp_path, repository)
    told = done(project.cli("lock", "--check", "--json"), 3)
    assert json.loads(told.stdout)["differences"] == [
        {
            "kind": "packages",
            "name": "envctl-probe",
            "before": "1.0",
            "after": "2.0",
            "units": ["dev/web"],
            "where": None,
            "said": "",
            "details": [],
        }
    ]

    refused = done(project.cli("up", "dev", "--frozen"), 1)
    assert "dev/web: envctl-probe: locked 1.0, found 2.0" in refused.stderr
    assert "nothing was replaced" in refused.stderr
    assert project.ids() == running

    repository.close()
    done(project.cli("up", "dev", "--frozen", "--offline"))
    assert version(project) == "1.0"
    assert project.ids() != running
    done(project.cli("lock", "--check"))
    again = done(project.cli("up", "dev", "--frozen", "--offline"))
    assert "no changes" in again.stdout
    _, routes, _ = project.run("web", "cat", "/srv/routes")
    assert len(routes.splitlines()) == 1, "the offline build had a network"
    _, mounted, _ = project.run("web", "sh", "-c", "ls -A /media /mnt; grep -r media /etc/apt")
    assert mounted.split() == ["/media:", "/mnt:"]

    done(project.cli("down", "dev"))
    remove_images(engine, project)
    check_that_a_changed_file_is_refused(project)


def check_that_a_changed_file_is_refused(project):
    index = json.loads((project.root / "envctl.vendor/index.json").read_text())
    (deb,) = (one for one in index["files"] if one["name"] == "envctl-probe")
    file = project.root / "envctl.vendor/sha256" / deb["sha256"]
    file.write_bytes(file.read_bytes() + b"more")

    refused = done(project.cli("up", "dev", "--frozen", "--offline"), 1)

    assert "envctl-probe_1.0_all.deb in envctl.vendor has changed" in refused.stderr
    assert project.states() == {"web": "missing"}


@pytest.fixture(scope="module")
def vendored(engine, tmp_path_factory):
    """A project with an image and a service on the catalogue's base; both are vendored."""
    project = Project(tmp_path_factory.mktemp("vendored"))
    name = f"{project.name}:1"
    context = io.BytesIO(b"FROM debian:bookworm\nCMD sleep infinity\n")
    image, _ = engine.images.build(fileobj=context, tag=name, rm=True)
    project.spec(f"web: {{image: '{name}'}}\nbuilt: {{command: [sleep, infinity]}}")
    done(project.cli("lock", "--vendor"))
    yield project, name, image.id
    done(project.cli("down", "dev"))
    remove_images(engine, project)
    if engine.api.images(name):
        engine.api.remove_image(name, force=True)


def test_an_image_that_is_kept_comes_back_as_it_was(engine, vendored):
    project, name, identity = vendored
    engine.api.remove_image(name, force=True)

    done(project.cli("up", "dev", "--frozen", "--offline"))

    assert engine.images.get(name).id == identity
    assert project.states() == {"built": "running", "web": "running"}


def test_a_base_is_made_of_kept_packages_with_its_own_sources(engine, vendored):
    """The base of the catalogue, under a name of its own here: the other is everybody's."""
    from envctl.bases.vendored_base import SOURCES
    from envctl.lock.inspect import inspect_image
    from envctl.lock.model import LockedBase
    from envctl.lock.vendor.offline import OfflineBuilder
    from envctl.plan.model import Base
    from envctl.plan.target import Target

    project, _, _ = vendored
    lock, _ = project.workspace().lock()
    kept = project.workspace().open(Target("dev"))
    own = Base("debian:bookworm", f"{project.name}:base")
    locked = lock.bases[base_image("debian:bookworm", "")]
    bases = {own.image: LockedBase("", locked.packages)}
    own_lock = type(lock)(lock.architecture, bases, vendor=lock.vendor)
    offline = OfflineBuilder(kept.engine, own_lock, project.root, kept.report)
    sources = offline._store.index.sources
    sources[own.image] = sources["debian:bookworm"]

    offline.make_base(own)

    try:
        assert inspect_image(kept.engine, own.image).manifest.packages == locked.packages
        read = kept.engine.images.read_file
        assert read(own.image, SOURCES) == read("debian:bookworm", SOURCES)
        saved = b"".join(engine.api.get_image(own.image))
        with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
            assert not any("envctl-base" in name for name in tar.getnames())
    finally:
        kept.engine.close()
        if engine.api.images(own.image):
            engine.api.remove_image(own.image, force=True)


@pytest.mark.machines
@pytest.mark.long
def test_a_machine_made_of_an_earlier_image_is_made_again(make_project, machines, repository, base):
    repository.publish("envctl-probe", "1.0")
    project = locked_project(make_project, base(alone=False), backend="vagrant")
    done(project.cli("up", "dev", timeout=1800))
    assert version(project) == "1.0"

    repository.publish("envctl-probe", "2.0")
    done(project.cli("lock", "--update", timeout=1800))
    told = done(project.cli("up", "dev", timeout=1800)).stdout

    assert "its image was rebuilt since" in told
    assert version(project) == "2.0"
    assert "no changes" in done(project.cli("up", "dev")).stdout
    assert "no changes" in done(project.cli("up", "dev", "--frozen")).stdout


@pytest.mark.machines
@pytest.mark.long
def test_a_machine_is_made_of_kept_packages_too(make_project, machines, tmp_path, repository, base):
    repository.publish("envctl-probe", "1.0")
    project = locked_project(make_project, base(alone=False), backend="vagrant")
    done(project.cli("lock", "--vendor", timeout=1800))
    moved_on(project, tmp_path, repository)
    repository.close()

    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done(project.cli("up", "dev", "--frozen", "--offline", environ=cache, timeout=1800))

    assert version(project) == "1.0"
    done(project.cli("lock", "--check"))


@pytest.mark.machines
@pytest.mark.timeout(1800)
@pytest.mark.long
def test_machines_for_container_images_are_made_of_what_is_kept(
    engine, make_project, machines, tmp_path
):
    project = make_project(backend="vagrant")
    name = f"envctl/{project.name}-ready:1"
    own = f"FROM debian:bookworm\nRUN echo {project.name} >/made\n"
    project.write("own/Dockerfile", f"{own}CMD sleep infinity\n")
    recipe = io.BytesIO(f"{own}USER nobody\nCMD sleep infinity\n".encode())
    before, _ = engine.images.build(fileobj=recipe, tag=name, rm=True)
    project.spec(f"ready: {{image: '{name}'}}\nown: {{dockerfile: own/Dockerfile}}")
    done(project.cli("lock", "--vendor", timeout=1800))
    engine.api.remove_image(name, force=True)
    remove_images(engine, project)

    offline = {**DEAD, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    try:
        done(project.cli("up", "dev", "--frozen", "--offline", environ=offline, timeout=1800))

        assert engine.images.get(name).id == before.id
        assert project.run("own", "cat", "/made")[1] == f"{project.name}\n"
        assert project.run("ready", "id", "-un")[1] == "nobody\n"
        again = done(project.cli("up", "dev", "--frozen", "--offline", environ=offline))
        assert "no changes" in again.stdout
        done(project.cli("lock", "--check"))
    finally:
        done(project.cli("down", "dev", "--volumes"))
        remove_boxes(project, *(one["Id"] for one in images_of(engine, project)), before.id)
        remove_images(engine, project)
        if engine.api.images(name):
            engine.api.remove_image(name, force=True)


NODE = """
web:
  packages: [nodejs, npm]
  build:
    - copy: {from: app/, to: /srv/app/}
    - npm: {directory: /srv/app}
  workdir: /srv/app
  command: [sleep, infinity]
"""


@pytest.mark.timeout(1800)
def test_npm_builds_of_what_is_kept(engine, make_project):
    """A scoped package whose dependencies are installed under other names, and in two versions."""
    project = make_project().spec(NODE)
    package = {"name": "app", "version": "1.0.0", "dependencies": {"@isaacs/cliui": "8.0.2"}}
    project.write("app/package.json", json.dumps(package))
    done(project.cli("up", "dev"))
    _, lock, _ = project.run("web", "cat", "package-lock.json")
    project.write("app/package-lock.json", lock)
    done(project.cli("lock", "--vendor"))
    done(project.cli("down", "dev"))
    remove_images(engine, project)

    done(project.cli("up", "dev", "--frozen", "--offline", environ=DEAD))

    used = "require('@isaacs/cliui'); console.log(require('string-width-cjs')('four'))"
    assert project.run("web", "node", "-e", used)[1] == "4\n"
    done(project.cli("lock", "--check"))
