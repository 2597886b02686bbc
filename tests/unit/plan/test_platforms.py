"""Platforms: how they are written, which runs which, and what images of one are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.plan.platforms import (
    PLATFORMS,
    image_name,
    meant,
    normalized,
    of_image,
    plain_name,
    processor,
    runs,
)

IMAGES = (
    "redis",
    "redis:7",
    "library/redis:7",
    "registry.example:5000/team/app:1.2",
    "127.0.0.1:5000/app",
    f"redis@sha256:{'0a' * 32}",
    f"registry.example:5000/team/app@sha256:{'f' * 64}",
    "envctl-base/debian:bookworm-0123456789ab",
)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("platform", sorted({normalized(one) for one in PLATFORMS}))
def test_an_image_of_a_platform_has_a_name_of_its_own_that_tells_both(image, platform):
    own = image_name(image, platform)

    assert plain_name(own) == (image, platform)
    assert own != image
    assert ":" not in own.partition("/")[2].rpartition("/")[0]  # an engine takes no other


@given(*[st.tuples(st.sampled_from(IMAGES), st.sampled_from(("", *PLATFORMS)))] * 2)
def test_no_two_images_or_platforms_share_a_name(one, other):
    pairs = [(image, normalized(platform)) for image, platform in (one, other)]

    assert (image_name(*pairs[0]) == image_name(*pairs[1])) == (pairs[0] == pairs[1])


def test_a_tag_beside_a_digest_means_nothing_as_an_engine_has_it():
    digest = f"sha256:{'0a' * 32}"

    assert image_name(f"r:1/a:2@{digest}", "linux/arm64") == image_name(
        f"r:1/a@{digest}", "linux/arm64"
    )


@pytest.mark.parametrize("name", ["redis:7", "envctl-platform/x", "envctl-platform/linux-vax/a:1"])
def test_any_other_name_is_an_image_of_no_platform(name):
    assert plain_name(name) == (name, "")


def test_without_a_platform_an_image_is_called_as_it_is():
    assert image_name("redis:7", "") == "redis:7"


@pytest.mark.parametrize(
    ("written", "same"),
    [("linux/arm64/v8", "linux/arm64"), ("linux/arm", "linux/arm/v7"), ("linux/amd64",) * 2],
)
def test_two_ways_of_writing_a_platform_are_one(written, same):
    assert normalized(written) == same


@pytest.mark.parametrize(
    "text", ["", "linux", "arm64", "linux/vax", "linux/arm64/v9", "Linux/amd64"]
)
def test_what_docker_does_not_write_so_is_none(text):
    assert normalized(text) == ""


@pytest.mark.parametrize(
    ("word", "platform"),
    [
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/ARM64", "linux/arm64"),
        ("armhf", "linux/arm/v7"),
        ("s390x", "linux/s390x"),
        ("vax", ""),
    ],
)
def test_other_words_for_a_processor_say_which_is_meant(word, platform):
    assert meant(word) == platform


@pytest.mark.parametrize(
    ("wanted", "image", "fits"),
    [
        ("linux/arm64", ("linux", "arm64", "v8"), True),
        ("linux/arm64", ("", "arm64", ""), True),
        ("linux/arm64", ("linux", "amd64", ""), False),
        ("linux/arm64", ("linux", "arm", "v7"), False),
        ("linux/arm/v7", ("linux", "arm", "v6"), True),
        ("linux/arm/v6", ("linux", "arm", "v7"), False),
        ("linux/arm/v7", ("linux", "arm", ""), True),
        ("linux/amd64", ("linux", "amd64", "v3"), False),
        ("linux/amd64/v3", ("linux", "amd64", ""), True),
        ("linux/amd64", ("linux", "", ""), False),
    ],
)
def test_an_image_fits_a_platform_whose_processor_runs_it(wanted, image, fits):
    assert runs(wanted, of_image(*image)) == fits


def test_every_platform_has_the_words_that_others_have_for_it():
    for platform in PLATFORMS:
        found = processor(platform)
        assert found.qemu
        assert not found.debian or found.debian in found.architectures
