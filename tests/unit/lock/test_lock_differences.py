"""What a machine that a build is done in differs in from what is locked: it has more than an image."""

from __future__ import annotations

import pytest

from envctl.lock.lock_differences import (
    LockDifference,
    base_differences,
    build_differences,
    lock_changes,
    merged,
)
from envctl.lock.model import Lock, LockedBase, LockedBuild, Manifest

BASE = {"libc6": "1", "tzdata": "1"}
BUILD = {**BASE, "hello": "1", "libssl3": "1"}
MACHINE = {**BASE, "init": "7", "libssl3": "1"}


def before(machine, build=BUILD):
    found = base_differences(Manifest(BASE), Manifest(build), Manifest(machine), ["base"])
    return [str(one) for one in found]


def after(machine, build=BUILD, start=MACHINE):
    manifests = map(Manifest, (BASE, build, start, machine))
    return [str(one) for one in build_differences(*manifests, ["web"])]


def test_what_is_the_machines_own_is_not_compared():
    assert before(MACHINE) == []
    assert after({**MACHINE, "hello": "1"}) == []
    assert after({**BUILD, "init": "8"}) == []
    assert after(BUILD) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"libc6": "2"}, "libc6 1 → 2"),
        ({"tzdata": ""}, "tzdata 1 → not installed"),
        # It came with the init: no step of the build would make it another.
        ({"libssl3": "2"}, "libssl3 1 → 2"),
    ],
)
def test_a_base_that_is_another_is_reported(change, told):
    machine = {name: one for name, one in {**MACHINE, **change}.items() if one}

    assert before(machine) == [told]


def test_what_the_build_changes_or_removes_is_first_there_as_the_base_has_it():
    build = {"libc6": "2", "hello": "1"}

    assert before(MACHINE, build) == []
    assert before({**MACHINE, "libc6": "2"}, build) == ["libc6 1 → 2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hello": "2"}, "hello 1 → 2"),
        ({"hello": ""}, "hello 1 → not installed"),
        ({"more": "1"}, "more not installed → 1"),
        ({"libssl3": "2"}, "libssl3 1 → 2"),
        ({"libc6": "2"}, "libc6 1 → 2"),
    ],
)
def test_a_build_that_comes_out_otherwise_is_reported(change, told):
    machine = {name: one for name, one in {**MACHINE, "hello": "1", **change}.items() if one}

    assert after(machine) == [told]


def test_what_the_build_should_have_removed_is_reported():
    build = {name: one for name, one in BUILD.items() if name != "tzdata"}

    assert after({**MACHINE, "hello": "1"}, build) == ["tzdata not installed → 1"]


def test_what_pip_and_npm_installed_is_compared_too():
    start = Manifest(BASE, {"/usr": {"own": "1"}})
    build = Manifest(BASE, {"/opt/web": {"flask": "3.1 sha256:a"}}, {"/srv": {"left-pad": "1"}})
    found = Manifest(
        BASE,
        {"/usr": {"own": "1"}, "/opt/web": {"flask": "3.1 sha256:b"}},
        {"/srv": {"left-pad": "2"}},
    )

    told = build_differences(Manifest(BASE), build, start, found, ["web"])

    assert [str(one) for one in told] == [
        "left-pad in /srv 1 → 2",
        "flask in /opt/web 3.1: different content, same version",
    ]


def told(*found):
    return [(one.kind, one.name, one.before, one.after, one.units) for one in merged(found)]


def test_a_difference_of_several_units_is_reported_once_with_all_of_them_in_order():
    def found(*units):
        return LockDifference("packages", "hello", "1", "2", units)

    assert told(found("dev/web"), found("dev/db", "dev/api"), found("dev/web")) == [
        ("packages", "hello", "1", "2", ("dev/api", "dev/db", "dev/web"))
    ]


def test_differences_are_reported_by_kind_then_name_then_version_and_what_is_new_before_others():
    given = [
        LockDifference("pip /opt", "a", "1", "2", ("u",)),
        LockDifference("packages", "b", "1", "2", ("u",)),
        LockDifference("packages", "a", "1", "3", ("u",)),
        LockDifference("packages", "a", "1", "2", ("u",)),
        LockDifference("packages", "a", "1", None, ("u",)),
        LockDifference("packages", "a", None, "2", ("u",)),
    ]
    expected = [
        ("packages", "a", None, "2", ("u",)),
        ("packages", "a", "1", None, ("u",)),
        ("packages", "a", "1", "2", ("u",)),
        ("packages", "a", "1", "3", ("u",)),
        ("packages", "b", "1", "2", ("u",)),
        ("pip /opt", "a", "1", "2", ("u",)),
    ]
    assert told(*given) == expected
    assert told(*reversed(given)) == expected


def lock(*builds, **bases):
    return Lock("amd64", bases, builds)


def build(units, image="", **packages):
    return LockedBuild(tuple(units), (), Manifest(packages), image=image)


def test_from_one_lock_to_the_next_units_and_bases_that_both_have_are_compared():
    before = lock(
        build(["dev/web", "dev/old"], hello="1", same="1"),
        build(["dev/db"], image="pg@sha256:1"),
        debian=LockedBase("i", {"libc6": "1"}),
        gone=LockedBase("i", {"x": "1"}),
    )
    after = lock(
        build(["dev/web", "dev/new"], hello="2", same="1"),
        build(["dev/db"], image="pg@sha256:2"),
        debian=LockedBase("j", {"libc6": "2"}),
        come=LockedBase("i", {"y": "1"}),
    )
    assert [
        (one.name, one.before, one.after, one.units) for one in lock_changes(before, after)
    ] == [
        ("image", "pg@sha256:1", "pg@sha256:2", ("dev/db",)),
        ("hello", "1", "2", ("dev/web",)),
        ("libc6", "1", "2", ("base debian",)),
    ]
    assert lock_changes(before, before) == ()
