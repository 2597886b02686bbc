"""What differs between two builds, in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.build_causes import build_causes, build_text
from envctl.plan.model import Base, CopyFiles, CreateUser, DockerfileBuild, MakeDirectories
from tests.support.plans import build, packages, script

APP = CopyFiles("app", "/srv", "1")
USER = CreateUser("web", 20001, "/home/web")
FOLDERS = MakeDirectories(("/srv",), "web")


def said(old, new):
    return [one.text for one in build_causes(new, build_text(old))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([APP], [replace(APP, content="2")], ["build step changed: copy app → /srv"]),
        ([APP], [replace(APP, source="web")], ["build step changed: copy web → /srv (was: copy app → /srv)"]),
        ([APP], [APP, USER], ["build step added: user web (20001)"]),
        ([APP, USER], [APP], ["build step removed: user web (20001)"]),
        ([USER, APP], [APP, USER], ["build step moved: copy app → /srv"]),
        ([USER, FOLDERS, APP], [replace(FOLDERS, owner="root"), replace(APP, content="2")],
         ["build step changed: directories /srv (root) (was: directories /srv (web))",
          "build step changed: copy app → /srv", "build step removed: user web (20001)"]),
        ([packages("a", "b")], [packages("b", "c")], ["package c added", "package a removed"]),
        ([packages("a"), packages("b")], [packages("a", "b"), APP], ["build step added: copy app → /srv"]),
        ([replace(APP, source="b")], [replace(APP, source="a"), replace(APP, source="b", content="2")],
         ["build step added: copy a → /srv", "build step changed: copy b → /srv"]),
    ],
)  # fmt: skip
def test_every_step_that_differs_is_reported(old, new, expected):
    assert said(build(*old), build(*new)) == expected


def test_another_base_and_other_templates_are_reported_beside_the_steps():
    old = replace(build(script("a")), template_digest="1")
    base = Base("debian:trixie", "debian:trixie", where=Place("envctl.yaml", 2, 1))
    new = replace(build(script("b"), base=base), template_digest="2")

    first, *others = build_causes(new, build_text(old))

    assert (first.text, first.where) == ("base image debian:bookworm → debian:trixie", base.where)
    assert [one.text for one in others] == [
        "the project's templates changed",
        "build step changed: run sh: b (was: run sh: a)",
    ]


def test_a_base_that_is_another_under_the_same_name_is_reported():
    old, new = (build(base=Base("debian:bookworm", image)) for image in ("a", "b"))

    assert said(old, new) == ["base image debian:bookworm changed"]


def test_of_an_own_dockerfile_what_changed_is_reported():
    old = DockerfileBuild(
        "Dockerfile", ".", "prod", {"A": "1", "B": "1"}, "x", dockerfile_digest="r"
    )
    new = replace(old, target="dev", args={"A": "2", "C": "1"}, content="y", dockerfile_digest="s")

    assert said(old, new) == [
        "Dockerfile Dockerfile changed",
        "files of . changed",
        "target prod → dev",
        "argument A changed",
        "argument B → C",
    ]


def test_values_of_build_arguments_are_not_kept_with_the_image():
    assert "hunter2" not in build_text(DockerfileBuild("Dockerfile", ".", args={"A": "hunter2"}))


@pytest.mark.parametrize(
    "recorded",
    [
        "",
        "{not json",
        "5",
        "null",
        "{}",
        "[5]",
        '[{"text": "a"}]',
        '[{"digest": "a"}]',
        "[]",
        "[" * 100_000,
    ],
)
def test_a_record_that_tells_nothing_gives_no_causes(recorded):
    assert build_causes(build(script("a")), recorded) == ()


def test_what_an_earlier_envctl_recorded_tells_of_steps_alone():
    """It kept neither the base nor the templates."""
    old, new = (
        replace(build(script("a")), template_digest="1"),
        replace(build(script("b")), template_digest="1"),
    )
    steps = [part for part in json.loads(build_text(old)) if part["text"].startswith("run ")]

    assert [one.text for one in build_causes(new, json.dumps(steps))] == [
        "build step changed: run sh: b (was: run sh: a)"
    ]


STEPS = st.lists(
    st.sampled_from([APP, replace(APP, content="2"), USER, FOLDERS, script("a"), script("b"), packages("x"), packages("x", "y")]),
    max_size=6,
)  # fmt: skip


@given(STEPS, STEPS)
def test_builds_differ_exactly_if_there_are_causes(old, new):
    same = build(*old).digest == build(*new).digest

    assert bool(said(build(*old), build(*new))) is not same


OWN = DockerfileBuild(
    "own/Dockerfile", "own", "run", {"A": "1", "B": "2"}, "c1", dockerfile_digest="r1"
)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OWN, []),
        (replace(OWN, dockerfile_digest="r2"), ["Dockerfile own/Dockerfile changed"]),
        (replace(OWN, dockerfile="Dockerfile"), ["Dockerfile own/Dockerfile → Dockerfile"]),
        (replace(OWN, content="c2"), ["files of own changed"]),
        (replace(OWN, context="."), ["files of own → of ."]),
        (replace(OWN, target=""), ["target run removed"]),
        (replace(OWN, target="test"), ["target run → test"]),
        (replace(OWN, args={"B": "2", "A": "5"}), ["argument A changed"]),
        (replace(OWN, args={"B": "2", "A": "1"}), []),
        (replace(OWN, args={"A": "1", "C": "2"}), ["argument B → C"]),
    ],
)
def test_each_part_of_a_build_from_a_dockerfile_is_reported_by_itself(new, expected):
    assert said(OWN, new) == expected


def test_of_two_equal_steps_one_that_is_left_out_is_removed_and_not_moved():
    assert said(build(APP, USER, APP), build(APP, USER)) == ["build step removed: copy app → /srv"]


def test_steps_of_another_kind_are_no_counterparts():
    assert said(build(USER), build(APP)) == [
        "build step added: copy app → /srv",
        "build step removed: user web (20001)",
    ]


def test_a_base_is_reported_by_its_name_or_image_or_box_and_its_date():
    for base, text in (
        (Base("debian", "d:1", "box", "2026"), "debian at 2026"),
        (Base("", "d:1", "box"), "d:1"),
        (Base("", "", "box"), "box"),
    ):
        recorded = json.loads(build_text(build(base=base)))
        assert [part["text"] for part in recorded] == [f"base {text}"]


def test_a_cause_without_a_place_of_its_own_has_the_builds():
    old, new = build(script("a"), APP), build(script("a"))
    (cause,) = build_causes(new, build_text(old))
    assert (cause.text, cause.where) == ("build step removed: copy app → /srv", new.where)
    (package,) = build_causes(build(packages("b")), build_text(build(packages("a", "b"))))
    assert (package.text, package.where) == ("package a removed", packages("b").where)
