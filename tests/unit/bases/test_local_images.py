"""The functions behind `envctl base`."""

from __future__ import annotations

import pytest

from envctl.bases import CATALOGUE, build, image_for, inspect, listing, resolve_name
from envctl.bases.manifest import digest, parse_status
from envctl.errors import EnvctlError
from envctl.progress import no_progress

from .conftest import STATUS


def test_an_unknown_base_is_refused_with_the_nearest_name():
    with pytest.raises(EnvctlError) as caught:
        resolve_name("debian:bookwrm")
    assert "'debian:bookwrm'" in caught.value.brief
    assert "did you mean 'debian:bookworm'?" in caught.value.hint


def test_the_list_shows_all_bases_and_which_are_here(store, fake):
    fake()
    build("debian:trixie", store, no_progress)
    store.registry.add("ubuntu:24.04")
    build("ubuntu:24.04", store, no_progress)

    rows = {row.name: row for row in listing(store)}

    assert list(rows) == list(CATALOGUE)
    assert rows["debian:trixie"].how == "bootstrapped"
    assert rows["ubuntu:24.04"].how == "pulled or loaded"
    assert not rows["debian:bookworm"].here


def test_a_dated_mirror_is_one_with_and_without_a_slash_at_its_end(store, fake):
    fake()
    address = "http://snapshots.example/archive/debian/20260801T000000Z"
    first = build("debian:bookworm", store, no_progress, snapshot=address + "/")
    again = build("debian:bookworm", store, no_progress, snapshot=address)

    assert (first.how, again.how) == ("bootstrapped", "local")
    assert first.name == again.name == image_for("debian:bookworm", address)
    assert not listing(store)[0].here


def test_inspect_reads_the_packages_from_the_image_itself(store, fake):
    fake()
    build("debian:bookworm", store, no_progress)

    data = inspect("debian:bookworm", store)

    assert data["packages"] == {"bash": "5.2-1"}
    assert data["manifest"] == data["labels"]["dev.envctl.base.manifest"]
    assert data["how"] == "bootstrapped"


def test_inspecting_a_base_that_is_not_here_says_how_to_get_it(store):
    with pytest.raises(EnvctlError) as caught:
        inspect("debian:bookworm", store)
    assert caught.value.hint == "envctl base build debian:bookworm"


def test_a_manifest_has_installed_packages_only_and_no_order():
    packages = parse_status(STATUS)

    assert packages == {"bash": "5.2-1"}
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})
    assert digest({"a": "1"}) != digest({"a": "2"})
