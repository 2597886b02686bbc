"""Boxes are found wherever a version of Vagrant has put them."""

from __future__ import annotations

import json
import os

import pytest

from envctl.backends.vagrant import boxfiles
from envctl.backends.vagrant.boxfiles import NOTE
from envctl.errors import EnvctlError

BOX = "envctl-0123456789abcdef01234567-89abcdef"
COMMON = "0/libvirt"
LAYOUTS = [COMMON, "0/amd64/libvirt", "0/arm64/libvirt", "0/unknown/libvirt"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    return tmp_path


def added(home, layout: str, *, box: str = BOX, at: int = 1_000):
    """Have a box there, as Vagrant leaves it that added it at some time."""
    folder = home / "boxes" / box / layout
    folder.mkdir(parents=True)
    for name, text in (("metadata.json", "{}"), ("box.img", layout), (NOTE, json.dumps({}))):
        (folder / name).write_text(text)
        os.utime(folder / name, (at, at))
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_box_is_found_in_either_layout(home, layout):
    folder = added(home, layout)

    assert boxfiles.folder(BOX) == folder
    assert [*boxfiles.find("envctl-*")] == [(BOX, folder)]
    assert boxfiles.in_pool(BOX) == f"{BOX}_vagrant_box_image_0_1000_box.img"
    assert boxfiles.last_used(BOX) == 1_000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_use_of_a_box_is_noted_in_either_layout(home, layout):
    added(home, layout)

    boxfiles.use(BOX)
    used = boxfiles.last_used(BOX)
    os.utime(boxfiles.folder(BOX) / NOTE, (1_000, 1_000))
    boxfiles.use_of([BOX.split("-")[1]])

    assert used is not None
    assert used > 1_000
    assert (boxfiles.last_used(BOX) or 0) > 1_000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_name_with_a_slash_is_found_in_either_layout(home, layout):
    folder = added(home, layout, box="debian-VAGRANTSLASH-bookworm64")

    assert boxfiles.folder("debian/bookworm64") == folder


@pytest.mark.parametrize("layout", ["0/amd64/virtualbox", "0/virtualbox"])
def test_a_box_of_another_provider_is_none(home, layout):
    added(home, layout)

    assert not boxfiles.folder(BOX).exists()
    assert [*boxfiles.find("envctl-*")] == []
    assert boxfiles.last_used(BOX) is None
    with pytest.raises(EnvctlError, match="was removed meanwhile"):
        boxfiles.use(BOX)


@pytest.mark.parametrize("last", LAYOUTS)
def test_of_boxes_that_several_versions_added_the_last_one_counts_and_stays(home, last):
    for layout in LAYOUTS:
        added(home, layout, at=2_000 if layout == last else 1_000)
    there = home / "boxes" / BOX

    assert boxfiles.folder(BOX) == there / last

    boxfiles.leave_one(BOX)

    assert [*there.glob("**/box.img")] == [there / last / "box.img"]
    # Vagrant looks at an architecture's empty folder as at a provider's.
    assert [path.name for path in (there / "0").iterdir()] == [last.split("/")[1]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_box_is_moved_to_where_older_versions_look(home, layout):
    added(home, layout)
    common = home / "boxes" / BOX / COMMON
    assert boxfiles.is_common(BOX) == (layout == COMMON)

    boxfiles.settle(BOX)

    assert boxfiles.is_common(BOX)
    assert (common / "box.img").read_text() == layout
