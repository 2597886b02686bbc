"""Which images gc may remove: only what envctl has named itself, and that nothing uses or stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest

from envctl.backends.base import Garbage
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.unused_images import remove_image, unused_images

BASE = {"dev.envctl.base": "debian:bookworm"}
DIGEST = "a" * 24
OTHER = "b" * 24


def image(name: str, identity: str, labels: Mapping[str, str], *layers: str) -> dict[str, Any]:
    names = [name] if name else []
    return {"Id": identity, "RepoTags": names, "Labels": dict(labels), "Size": 7, "layers": layers}


class FakeEngine:
    """An engine with these images, of which containers use some."""

    def __init__(self, images: Sequence[dict[str, Any]], used: Sequence[str] = ()) -> None:
        self.all, self.used, self.removed = list(images), used, list[str]()

    @contextmanager
    def doing(self, _what: str) -> Iterator[FakeEngine]:
        yield self

    def images(self, *, filters: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        (label,) = filters["label"]
        return [one for one in self.all if label in one["Labels"]]

    def containers(self, *, all: bool) -> list[dict[str, Any]]:  # noqa: A002
        assert all
        return [{"ImageID": identity} for identity in self.used]

    def inspect_image(self, identity: str) -> dict[str, Any]:
        (one,) = (one for one in self.all if one["Id"] == identity)
        return {"RootFS": {"Layers": list(one["layers"])}, "RepoTags": one["RepoTags"]}

    def remove_image(self, name: str) -> None:
        if name in self.used:
            raise ApiError(409, "conflict: a container is using it")
        self.removed.append(name)


def names(engine: FakeEngine, *needed: str) -> list[str]:
    return [garbage.name for garbage in unused_images(cast("Engine", engine), needed)]


def built(digest: str, identity: str, *layers: str) -> dict[str, Any]:
    return image(f"envctl/shop:{digest}", identity, {**BASE, "dev.envctl.build": digest}, *layers)


def test_what_no_container_uses_is_unused_with_the_base_that_nothing_else_needs() -> None:
    engine = FakeEngine([image("debian:bookworm", "1", BASE, "l"), built(DIGEST, "2", "l", "m")])
    assert names(engine) == [f"envctl/shop:{DIGEST}", "debian:bookworm"]


def test_what_a_container_uses_stays_running_or_not_and_so_does_its_base() -> None:
    images = [image("debian:bookworm", "1", BASE, "l"), built(DIGEST, "2", "l", "m")]
    assert names(FakeEngine(images, used=["2"])) == []


def test_what_the_project_needs_stays_with_its_base() -> None:
    images = [
        image("debian:bookworm", "1", BASE, "l"),
        built(DIGEST, "2", "l", "m"),
        built(OTHER, "3", "l", "n"),
    ]
    assert names(FakeEngine(images), DIGEST) == [f"envctl/shop:{OTHER}"]
    assert names(FakeEngine(images[:1]), "debian:bookworm") == []


@pytest.mark.parametrize("name", ["mine/app:1", "debian:mine"])
def test_what_somebody_has_named_or_built_himself_is_not_touched(name: str) -> None:
    # Whatever is built on an image of envctl's inherits its labels.
    labels = {**BASE, "dev.envctl.build": DIGEST}
    mine = image(name, "3", labels, "l", "x")
    derived = image(name, "3", BASE, "l", "x")
    assert names(FakeEngine([mine])) == []
    assert names(FakeEngine([image("debian:bookworm", "1", BASE, "l"), derived])) == []


def test_an_older_image_of_a_build_that_has_lost_its_name_is_unused() -> None:
    engine = FakeEngine([image("", "2", {**BASE, "dev.envctl.build": DIGEST}, "l", "m")])
    assert names(engine) == [f"an older image of build {DIGEST}"]


def test_what_is_used_by_now_is_not_removed() -> None:
    one = built(DIGEST, "2", "l", "m")
    garbage = Garbage("image", one["RepoTags"][0], "2", 7)
    engine = FakeEngine([one])
    assert remove_image(cast("Engine", engine), garbage) is True
    assert engine.removed == one["RepoTags"]
    assert remove_image(cast("Engine", FakeEngine([one], used=one["RepoTags"])), garbage) is False
