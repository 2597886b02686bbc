"""What an image is, whatever it is called: a registry's digest of the very name, or the engine's id."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from envctl.errors import EnvctlError
from envctl.lock.inspect import identity, inspect_images, read_manifest
from envctl.lock.model import Manifest


def engine(**known):
    return SimpleNamespace(images=SimpleNamespace(info=known.get))


def told(image, *digests):
    return identity(engine(**{image: {"digests": digests, "id": "sha256:own"}}), image)


@pytest.mark.parametrize(
    "image",
    ["pg", "pg:16", "pg@sha256:1", "pg:16@sha256:1", "reg:5000/a/pg", "reg:5000/a/pg:16", "reg:5000/a/pg:16@sha256:1"],
)  # fmt: skip
def test_an_image_of_a_registry_is_what_the_registry_calls_it(image):
    name = "reg:5000/a/pg" if "reg" in image else "pg"
    assert told(image, "other@sha256:9", f"{name}@sha256:1") == "sha256:1"


def test_a_repository_whose_name_begins_alike_is_another():
    assert told("pg-extra:1", "pg@sha256:1", "pg-extra@sha256:2") == "sha256:2"
    assert told("pg-extra:1", "pg@sha256:1") == "sha256:own"


def test_an_image_that_no_registry_has_is_what_its_engine_calls_it():
    assert told("built") == "sha256:own"
    assert identity(engine(built={"id": "sha256:own"}), "built") == "sha256:own"
    assert identity(engine(), "gone") == ""
    assert identity(engine(odd={}), "odd") == ""


def teller(*parts):
    """What runs container scripts in an image that tells this."""

    def run(container_script):
        (mark,) = container_script.arguments
        return "".join(f"{mark}:{name}\0{body}" for name, body in parts).encode()

    return run


WHOLE = (
    ("architecture", "amd64\n"),
    ("packages", "libc6\tamd64\t2.36\tinstalled\n"),
    ("end", ""),
)


def test_an_image_is_asked_with_a_mark_that_nothing_in_it_can_know():
    marks = []

    def run(container_script):
        marks.append(container_script.arguments[0])
        return teller(*WHOLE)(container_script)

    for _ in range(3):
        assert read_manifest(run, "pg") == ("amd64", Manifest({"libc6": "2.36"}))
    assert len({*marks}) == 3
    assert all(len(mark) == 32 for mark in marks)


def test_an_image_that_does_not_tell_all_is_an_error_that_names_it():
    with pytest.raises(EnvctlError, match="packages in pg cannot be read: the output is truncated"):
        read_manifest(teller(*WHOLE[:2]), "pg")


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
def test_several_images_are_looked_into_each_once(count):
    asked = []

    def run_script(image, container_script):
        asked.append(image)
        return teller(*WHOLE)(container_script)

    there = SimpleNamespace(
        run_script=run_script, images=SimpleNamespace(info=lambda image: {"id": f"id of {image}"})
    )
    names = [f"i{number}" for number in range(count)]
    found = inspect_images(there, [*names, *names])
    assert sorted(asked) == names
    assert {name: one.identity for name, one in found.items()} == {
        name: f"id of {name}" for name in names
    }
