"""`platform` in all that the engine is told: builds, containers, images, and the rendered folder."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace

import pytest
import yaml

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS
from envctl.backends.docker import names as n
from envctl.backends.docker.artifacts import artifacts
from envctl.backends.docker.build_image import _parameters
from envctl.backends.docker.containers import container
from envctl.backends.docker.dockerfiles import dockerfile
from envctl.backends.docker.engine_platforms import Platforms
from envctl.backends.docker.images import Images
from envctl.backends.docker.single_layer_images import configured, packed, write
from envctl.plan.model import Base, DockerfileBuild, Plan, ReadyImage, Run, Unit
from envctl.plan.platforms import image_name
from envctl.render.rendered_files import render
from envctl.render.templates import Templates
from tests.support.plans import SCOPE, build, script

from .conftest import CannedEngine, rich_plan

ARM = "linux/arm64"
BASE = Base("debian:bookworm", image_name("debian:bookworm", ARM), platform=ARM)
OWN = DockerfileBuild("own/Dockerfile", "own", digest="f00d", platform=ARM)
DB = Unit("db", "db", ReadyImage("redis:7", platform=ARM), Run(platform=ARM))


def text(*, up):
    return dockerfile(build(script("make"), base=BASE), up=up, render=Templates(None).render)


def test_a_dockerfile_starts_from_the_image_of_the_platform_and_without_envctl_from_the_usual_one():
    assert "FROM --platform=linux/arm64 envctl-platform/linux-arm64/debian:bookworm\n" in text(
        up=True
    )
    assert "FROM --platform=linux/arm64 debian:bookworm\n" in text(up=False)


@pytest.mark.parametrize("wanted", [OWN, build(script("make"), base=BASE)])
def test_the_builder_is_told_the_platform(names, wanted):
    assert _parameters(wanted, names, NO_BUILD_INPUTS)["platform"] == ARM


@pytest.mark.parametrize("wanted", [replace(OWN, platform=""), build(script("make"))])
def test_the_builder_is_told_none_where_none_is_asked_for(names, wanted):
    assert "platform" not in _parameters(wanted, names, NO_BUILD_INPUTS)


def test_a_container_is_of_the_image_of_its_platform_and_says_so(names):
    body = container(DB, names)

    assert body["Image"] == "envctl-platform/linux-arm64/redis:7"
    assert body["Labels"][n.IMAGE] == body["Image"]
    assert json.loads(body["Labels"][n.RUN])["platform"] == ARM


def test_a_compose_file_has_the_platform_of_a_service_and_the_usual_name_of_its_image():
    web = Unit("web", "web", build(script("make"), base=BASE), Run(platform=ARM))
    found = render(artifacts(Plan(SCOPE, "docker", (DB, web))), templates=Templates(None))
    services = yaml.safe_load(found["compose.yaml"])["services"]

    assert (services["db"]["image"], services["db"]["platform"]) == ("redis:7", ARM)
    assert services["web"]["platform"] == ARM
    assert b"FROM --platform=linux/arm64 debian:bookworm\n" in found["web.Dockerfile"]


def test_a_folder_without_platforms_has_none():
    found = render(artifacts(rich_plan()), templates=Templates(None))

    assert b"platform" not in found["compose.yaml"] + found["web.Dockerfile"]


# --- what is at hand -------------------------------------------------------------------------


class Engine(CannedEngine):
    """Images by name, with their architectures; names can be given and taken."""

    def __init__(self, **architectures):
        super().__init__()
        self.images = {
            name.replace("_", ":"): {"Id": f"id-{word}", "Os": "linux", "Architecture": word}
            for name, word in architectures.items()
        }
        self.api.inspect_image = self._image
        self.api.tag = self._tag
        self.api.version = lambda: {"Os": "linux", "Arch": "amd64"}

    def _image(self, name):
        return self.images.get(name) or CannedEngine().api.inspect_image(name)

    def _tag(self, identity, repository, tag):
        found = next(one for one in self.images.values() if one["Id"] == identity)
        self.images[f"{repository}:{tag}"] = found


def test_an_image_of_the_platform_that_is_at_hand_gets_a_name_of_its_own():
    engine = Engine(redis_7="arm64")
    own = image_name("redis:7", ARM)

    assert Images(engine).at_hand(own) == "id-arm64"
    assert engine.images[own] == engine.images["redis:7"]


def test_an_image_of_another_platform_is_not_taken_for_it():
    engine = Engine(redis_7="amd64")

    assert Images(engine).at_hand(image_name("redis:7", ARM)) is None
    assert [*engine.images] == ["redis:7"]
    assert Images(engine).at_hand("redis:7") == "id-amd64"


def test_a_name_that_somebody_gave_to_another_platform_is_not_believed():
    engine = Engine(redis_7="amd64")
    own = image_name("redis:7", ARM)
    engine.images[own] = engine.images["redis:7"]

    assert Images(engine).at_hand(own) is None
    engine.images["redis:7"] = {"Id": "id-arm64", "Architecture": "arm64"}
    assert Images(engine).at_hand(own) == "id-arm64"
    assert engine.images[own]["Id"] == "id-arm64"


def test_an_image_of_another_platform_that_nobody_asked_for_is_reported_once():
    said = []
    engine = Engine(redis_7="arm64", pg_1="amd64", odd_1="")
    platforms = Platforms(engine, Images(engine), said.append)
    for _ in range(2):
        for name in ("redis:7", "pg:1", "odd:1", "gone:1"):
            platforms.look_at("db", name, "")
    platforms.look_at("db", "redis:7", ARM)

    assert [one.text for one in said] == [
        (
            "redis:7 is for linux/arm64, and the engine is linux/amd64: add `platform: linux/arm64` if that is intended,"
            " or get the other one with `docker pull --platform linux/amd64 redis:7`"
        )
    ]


@pytest.mark.parametrize("platform", ["", "linux/amd64", "linux/amd64/v2"])
def test_the_engines_own_platform_is_not_tried(platform):
    engine = Engine()

    Platforms(engine, Images(engine), lambda _: None).require(platform)


# --- images that are made here ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "told"), [(ARM, ("arm64", None)), ("linux/arm/v7", ("arm", "v7"))]
)
def test_an_image_that_is_made_here_says_what_it_is_for(platform, told):
    layer = packed({"/a": (b"a", 0o755)})
    whole = io.BytesIO()
    config = {**configured(('CMD ["bash"]',)), "Labels": {"a": "b"}}
    digest = write(whole, io.BytesIO(layer), "x:1", platform=platform, config=config)

    whole.seek(0)
    with tarfile.open(fileobj=whole) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}
    (manifest,) = json.loads(files["manifest.json"])
    said = json.loads(files[manifest["Config"]])
    assert manifest["RepoTags"] == ["x:1"]
    assert manifest["Config"] == f"{hashlib.sha256(files[manifest['Config']]).hexdigest()}.json"
    assert files["layer.tar"] == layer
    assert said["rootfs"]["diff_ids"] == [digest] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (said["architecture"], said.get("variant"), said["os"]) == (*told, "linux")
    assert said["config"] == {"Cmd": ["bash"], "Labels": {"a": "b"}}


def test_an_instruction_that_cannot_be_said_of_such_an_image_is_no_image_without_it():
    with pytest.raises(ValueError, match="USER web"):
        configured(("USER web",))
