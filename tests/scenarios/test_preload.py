"""An engine of our own loads an image for a machine: the host's engine and network notice nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envctl.backends.vagrant.box.preload_image import preload

pytestmark = pytest.mark.engine


def network() -> list[str]:
    """The host's interfaces and routes, those of machines and containers apart, which come and go."""
    names = [path.name for path in Path("/sys/class/net").iterdir()]
    routes = Path("/proc/net/route").read_text().splitlines()
    kept = (text for text in (*names, *routes) if not text.startswith(("v", "br-")))
    return [*sorted(kept), Path("/proc/sys/net/ipv4/ip_forward").read_text()]


def test_an_image_is_put_into_a_store_and_the_host_stays_as_it_was(engine, tmp_path):
    image, store = tmp_path / "image.tar", tmp_path / "store"
    identity = engine.images.get("debian:bookworm").id
    with image.open("wb") as file:
        file.writelines(engine.api.get_image(identity))
    before = network(), engine.info()["ID"]
    assert "docker0" in before[0]

    assert preload(image, "envctl", store)

    assert (network(), engine.info()["ID"]) == before
    assert {path.name for path in store.iterdir()} == {"image", "overlay2"}
    names = json.loads((store / "image/overlay2/repositories.json").read_text())
    assert names["Repositories"]["envctl"]["envctl:latest"] == identity
    running = engine.containers.run("debian:bookworm", ["true"], remove=True)
    assert running == b""


def test_what_is_no_image_leaves_an_empty_store(engine, tmp_path):
    (tmp_path / "image.tar").write_bytes(b"no image")

    assert not preload(tmp_path / "image.tar", "envctl", tmp_path / "store")

    assert list((tmp_path / "store").iterdir()) == []
