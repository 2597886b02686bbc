"""Boxes are found wherever a version of Vagrant has put them."""

from __future__ import annotations

import json
import os

import pytest

from envctl.backends.vagrant.box import box_files
from envctl.backends.vagrant.box.box_files import NOTE
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

    assert box_files.box_folder(BOX) == folder
    assert [*box_files.find("envctl-*")] == [(BOX, folder)]
    assert box_files.pool_disk_name(BOX) == f"{BOX}_vagrant_box_image_0_1000_box.img"
    assert box_files.last_used(BOX) == 1_000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_use_of_a_box_is_recorded_in_either_layout(home, layout):
    added(home, layout)

    box_files.mark_used(BOX)
    used = box_files.last_used(BOX)
    os.utime(box_files.box_folder(BOX) / NOTE, (1_000, 1_000))
    box_files.mark_used_for([BOX.split("-")[1]])

    assert used is not None
    assert used > 1_000
    assert (box_files.last_used(BOX) or 0) > 1_000


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_name_with_a_slash_is_found_in_either_layout(home, layout):
    folder = added(home, layout, box="debian-VAGRANTSLASH-bookworm64")

    assert box_files.box_folder("debian/bookworm64") == folder


@pytest.mark.parametrize("layout", ["0/amd64/virtualbox", "0/virtualbox"])
def test_a_box_of_another_provider_is_none(home, layout):
    added(home, layout)

    assert not box_files.box_folder(BOX).exists()
    assert [*box_files.find("envctl-*")] == []
    assert box_files.last_used(BOX) is None
    with pytest.raises(EnvctlError, match="another run removed the box"):
        box_files.mark_used(BOX)


@pytest.mark.parametrize("last", LAYOUTS)
def test_of_boxes_that_several_versions_added_the_last_one_counts_and_stays(home, last):
    for layout in LAYOUTS:
        added(home, layout, at=2_000 if layout == last else 1_000)
    there = home / "boxes" / BOX

    assert box_files.box_folder(BOX) == there / last

    box_files.unify(BOX)

    assert [*there.glob("**/box.img")] == [there / COMMON / "box.img"]
    assert (there / COMMON / "box.img").read_text() == last
    # Vagrant would take an architecture's empty folder for a provider's.
    assert [path.name for path in (there / "0").iterdir()] == ["libvirt"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_box_is_moved_to_where_older_versions_look(home, layout):
    added(home, layout)
    common = home / "boxes" / BOX / COMMON

    box_files.unify(BOX)
    box_files.unify(BOX)

    assert box_files.box_folder(BOX) == common
    assert (common / "box.img").read_text() == layout
    assert [path.name for path in (home / "boxes" / BOX / "0").iterdir()] == ["libvirt"]
