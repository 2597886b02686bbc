"""Volumes that an image declares: each unit's own, unless the spec has something at that place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.plan.image_volumes import (
    called,
    may_declare,
    parted,
    plan_with_volumes,
    unnamed,
    with_volumes,
)
from envctl.plan.model import Base, DockerfileBuild, Mount, ReadyImage, Secret, Volume
from tests.support.plans import build, plan, unit


def paths(one, *declared):
    return [volume.target for volume in unnamed(one, declared)]


def test_such_a_volume_is_called_as_no_volume_of_a_spec_can_be():
    assert called("web", "/data") == "web:/data"
    assert parted("web:/data:x") == ("web", "/data:x")
    assert parted("data") is None


def test_each_declared_path_has_a_volume_of_its_own_in_their_order():
    assert unnamed(unit("web"), ["/var/lib/x", "/data"]) == (
        Volume("web:/data", "/data"),
        Volume("web:/var/lib/x", "/var/lib/x"),
    )


@pytest.mark.parametrize(
    ("declared", "path"),
    [("data", "/data"), ("/data/", "/data"), ("/a/../data", "/data"), ("./data", "/data")],
)
def test_paths_are_reported_in_their_plain_form(declared, path):
    assert paths(unit("web"), declared) == [path]


@pytest.mark.parametrize("declared", ["/", "", ".", "//"])
def test_the_whole_file_system_is_not_a_volume(declared):
    assert paths(unit("web"), declared) == []


@pytest.mark.parametrize(
    "run",
    [
        {"mounts": (Mount("/srv", "/data"),)},
        {"volumes": (Volume("own", "/data"),)},
        {"secrets": (Secret("token", "/data"),)},
        {"options": {"tmpfs": ["/data"]}},
        {"options": {"tmpfs": {"/data": "size=1m"}}},
    ],
)
def test_what_the_spec_has_at_a_place_takes_the_place_of_the_images(run):
    assert paths(unit("web", **run), "/data", "/other") == ["/other"]


def test_the_folder_of_secrets_is_taken_where_there_are_secrets():
    assert paths(unit("web", secrets=(Secret("a", "/run/secrets/a"),)), "/run/secrets") == []
    assert paths(unit("web"), "/run/secrets") == ["/run/secrets"]
    assert paths(unit("web", options={"tmpfs": None}), "/data") == ["/data"]


def test_a_base_of_the_catalogue_declares_none_and_whatever_else_may():
    assert not may_declare(build())
    assert may_declare(build(base=Base("", "nginx:1")))
    assert may_declare(ReadyImage("nginx:1"))
    assert may_declare(DockerfileBuild("Dockerfile", "."))


def test_a_unit_has_them_beside_its_own():
    own = unit("web", volumes=(Volume("own", "/own"),))
    more = (Volume("web:/data", "/data"),)
    assert with_volumes(own, more).run.volumes == (Volume("own", "/own"), *more)
    assert with_volumes(own, ()) is own


def test_each_unit_of_a_plan_has_its_own_as_far_as_they_are_known():
    web, db, api = unit("web"), unit("db"), unit("api")
    more = (Volume("web:/data", "/data"),)
    found = plan_with_volumes(plan(web, db, api), {"web": more, "db": None})
    assert [one.run.volumes for one in found.units] == [more, (), ()]
    assert found == replace(plan(web, db, api), units=found.units)
