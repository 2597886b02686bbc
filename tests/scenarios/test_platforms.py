"""Images for another platform than the engine's: fetched, refused, and run where the engine has an emulator."""

from __future__ import annotations

import io
import json

import pytest
from docker.errors import APIError

from envctl.backends.docker.engine import Engine
from envctl.backends.docker.images import Images
from envctl.backends.docker.single_layer_images import packed, write
from envctl.errors import EnvctlError
from envctl.host.emulation import program
from envctl.plan.platforms import architecture, image_name
from tests.support.project import unique
from tests.support.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.slow]

ARM = "linux/arm64"
TASK = "job: {kind: task, image: 'IMAGE', command: [/program], platform: PLATFORM}\n"


@pytest.fixture
def name(engine):
    """A name for images of a test's own, of which none stay."""
    made = unique("platform")
    yield made
    for image in engine.api.images():
        for tag in image["RepoTags"] or ():
            if made in tag:
                engine.api.remove_image(tag, force=True)


@pytest.fixture
def registry(engine, name):
    made = Registry()
    made.put_for_all(f"{name}/both", {"amd64": {"/a": "amd64"}, "arm64": {"/a": "arm64"}})
    made.put(f"{name}/one", {"/a": "amd64"})
    yield made
    made.close()


@pytest.fixture
def own_engine(engine):
    """The engine's images, as envctl sees them."""
    made = Engine()
    yield Images(made)
    made.close()


def load(engine, name, platform):
    """Load an image of the smallest program of a platform."""
    whole = io.BytesIO()
    layer = packed(
        {"/program": (program(architecture(platform)), 0o755), "/etc/passwd": (b"", 0o644)}
    )
    write(whole, io.BytesIO(layer), f"{name}:1", platform=platform, config={})
    for _ in engine.api.load_image(whole.getvalue()):
        pass
    return f"{name}:1"


def runs(engine, image, platform):
    """Whether the engine itself runs the program of an image."""
    body = {"Image": image, "Cmd": ["/program"], "HostConfig": {"NetworkMode": "none"}}
    made = engine.api.create_container_from_config(body, None, platform)["Id"]
    try:
        engine.api.start(made)
        return engine.api.wait(made)["StatusCode"] == 0
    except APIError as error:
        if "exec format error" not in str(error):
            raise
        return False
    finally:
        engine.api.remove_container(made, force=True)


@pytest.mark.parametrize("platform", ["linux/386", ARM, "linux/s390x"])
def test_what_the_engine_runs_is_run_and_anything_else_refused_before_there_is_a_container(
    make_project, engine, name, platform
):
    project = make_project()
    image = load(engine, name, platform)
    can = runs(engine, image, platform)
    project.spec(TASK.replace("IMAGE", image).replace("PLATFORM", platform))
    done = project.cli("up", "dev")

    assert (done.returncode == 0) == can, done.stderr
    found = json.loads(project.cli("status", "dev", "--json").stdout)
    if can:
        assert project.cli("plan", "dev", "--exit-code").returncode == 0
        containers = engine.api.containers(
            all=True, filters={"label": f"dev.envctl.project={project.name}"}
        )
        inspected = [engine.api.inspect_container(one["Id"]) for one in containers]
        images = {engine.api.inspect_image(one["Image"])["Architecture"] for one in inspected}
        assert images == {platform.split("/")[1]}
    else:
        assert f"cannot run {platform} programs" in done.stderr
        assert "qemu-user-static and binfmt-support" in done.stderr
        assert "envctl.yaml:4:" in done.stderr
        assert "exec format" not in done.stderr + json.dumps(found)


def test_an_image_of_a_platform_is_fetched_beside_the_one_that_has_its_usual_name(
    engine, own_engine, registry, name
):
    images = own_engine
    usual = f"{registry.host}/{name}/both:1"
    own = image_name(usual, ARM)
    images.pull(own)

    assert images.platform(own) == ARM
    assert images.find(usual) is None
    images.pull(usual)
    native = images.find(usual)
    engine.api.remove_image(own)
    images.pull(own)
    assert images.find(usual) == native != images.find(own)
    assert images.platform(usual) == "linux/amd64"


def test_an_image_that_a_registry_has_for_another_platform_alone_is_refused(
    own_engine, registry, name
):
    images = own_engine
    usual = f"{registry.host}/{name}/one:1"

    with pytest.raises(EnvctlError):
        images.pull(image_name(usual, ARM))

    assert images.find(image_name(usual, ARM)) is None
    assert images.find(usual) is None


def test_an_image_of_another_platform_that_is_here_is_neither_taken_nor_lost(
    make_project, engine, name
):
    project = make_project()
    image = load(engine, name, "linux/s390x")
    before = engine.api.inspect_image(image)["Id"]
    project.spec(TASK.replace("IMAGE", image).replace("PLATFORM", "linux/amd64"))
    done = project.cli("up", "dev")

    assert done.returncode == 1
    assert f"cannot pull {image}" in done.stderr
    assert "envctl.yaml:4:" in done.stderr
    assert engine.api.inspect_image(image)["Id"] == before


def test_an_image_of_another_platform_that_nobody_asked_for_is_reported(make_project, engine, name):
    project = make_project()
    image = load(engine, name, "linux/386")
    project.spec(TASK.replace("IMAGE", image).replace(", platform: PLATFORM", ""))
    done = project.cli("up", "dev")

    assert f"{image} is for linux/386, and the engine is linux/amd64" in done.stdout + done.stderr


def test_a_build_is_for_its_platform_whatever_it_is_made_by(make_project, engine):
    project = make_project()
    project.write("Dockerfile", "FROM scratch\nCOPY program /program\n")
    project.spec(
        "job: {kind: task, dockerfile: Dockerfile, command: [/program], platform: linux/386}\n"
    )
    project.write("program", program("386"))
    (project.root / "program").chmod(0o755)
    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    (build,) = project.workspace().plan(project.target).builds().values()
    image = engine.api.inspect_image(f"envctl/{project.name}:{build.digest}")
    assert image["Architecture"] == "386"
