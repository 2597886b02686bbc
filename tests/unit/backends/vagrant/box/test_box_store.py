"""Boxes that are at hand, by what they are noted to be made of."""

from __future__ import annotations

import json
import tarfile

import pytest

from envctl.backends.base import Context
from envctl.backends.common import image_ids
from envctl.backends.vagrant.box import box_store, kernel_files
from envctl.backends.vagrant.box.box_files import NOTE
from envctl.backends.vagrant.box.box_store import BoxStore, build_note
from tests.support.plans import SCOPE, build, packages

WANTED = "sha256:what is locked"
BUILD = build(packages("curl"))


@pytest.fixture
def boxes(tmp_path, monkeypatch):
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return BoxStore(Context(SCOPE))


def keep(boxes, home, made_of, **more):
    """Have a box of the build there, as Vagrant keeps it."""
    folder = home / "boxes" / boxes.name(BUILD) / "0/libvirt"
    folder.mkdir(parents=True)
    note = {**build_note(BUILD, made_of), **more, "kind": boxes.name(BUILD).rpartition("-")[2]}
    (folder / "metadata.json").write_text("{}")
    (folder / NOTE).write_text(json.dumps(note))


@pytest.mark.parametrize("made_of", ["", "sha256:an image", WANTED])
def test_a_box_is_used_if_it_was_made_from_what_it_must_be_made_from(boxes, tmp_path, made_of):
    keep(boxes, tmp_path, made_of)
    assert boxes.is_current(BUILD)
    assert [*boxes.available()[0]] == [BUILD.digest]

    boxes.pinned = {BUILD.digest: WANTED}

    right = made_of == WANTED
    assert boxes.is_current(BUILD) == right
    assert [*boxes.available()[0]] == [BUILD.digest] * right


@pytest.mark.parametrize(
    ("last", "right"),
    [
        (None, True),
        ("sha256:an image", True),
        ("sha256:of another engine", True),
        ("sha256:made anew", False),
    ],
)
def test_a_box_whose_image_was_made_again_since_is_not_used(boxes, tmp_path, last, right):
    keep(boxes, tmp_path, "sha256:an image", known="sha256:of another engine")
    if last:
        image_ids.note(BUILD.digest, last)

    assert [*boxes.available()[0]] == [BUILD.digest] * right
    assert boxes.available()[1] == {BUILD.digest: "sha256:an image" if right else last}


def test_a_box_provisioned_in_a_machine_has_no_image_that_could_be_made_again(boxes, tmp_path):
    keep(boxes, tmp_path, "")
    image_ids.note(BUILD.digest, "sha256:an image")

    assert [*boxes.available()[0]] == [BUILD.digest]
    assert boxes.available()[1] == {BUILD.digest: ""}


def test_what_is_held_to_matters_more_than_what_was_made_last(boxes, tmp_path):
    keep(boxes, tmp_path, WANTED, known="")
    image_ids.note(BUILD.digest, "sha256:made anew")
    boxes.pinned = {BUILD.digest: WANTED}

    assert [*boxes.available()[0]] == [BUILD.digest]
    assert boxes.available()[1] == {BUILD.digest: WANTED}


def test_a_box_that_does_not_exist_is_not_current(boxes):
    assert not boxes.is_current(BUILD)


class Adding:
    """Plays Vagrant, and takes boxes in."""

    def __init__(self, _folder):
        pass

    def add_box(self, _name, file):
        with tarfile.open(file) as tar:
            raise Added(tar.getnames())


class Added(Exception):  # noqa: N818 - that is what it tells
    """The names of the files of a box that was added."""


def test_a_name_of_a_file_is_no_option_when_a_box_is_packed(boxes, tmp_path, monkeypatch):
    monkeypatch.setattr(box_store, "Vagrant", Adding)
    monkeypatch.setattr(kernel_files, "kernel_files", lambda *_given: ())
    making = tmp_path / "making"
    making.mkdir()
    done = tmp_path / "done"
    odd = ["--checkpoint=1", "--checkpoint-action=exec=touch ${PWD%making}done"]
    for name in odd:
        (making / name).touch()
    (making / "box.img").write_bytes(bytes(1 << 20))
    monkeypatch.chdir(making)

    with pytest.raises(Added) as caught:
        boxes.add("web", "x", making, build_note(BUILD, ""))

    assert {*odd, "box.img"} < {*caught.value.args[0]}
    assert not done.exists()
