"""What an image is, whatever it is called: a registry's digest of the very name, or the engine's id."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from envctl.lock.looking import identity


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
