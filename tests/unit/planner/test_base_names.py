"""Bases that there are not, and bases without apt, are refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.bases.families import known_distribution, without_apt
from envctl.errors import Problem, SpecError
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.validate import validate
from tests.unit.definition.helpers import write


def refused(root: Path, base: str, service: str = "") -> tuple[Problem, ...]:
    text = f"project: p\nbase: {base}\nservices:\n  web:\n    command: [a]\n{service}"
    write(root, text, dev="backend: memory\n")
    try:
        validate(Project(root, environ={}))
    except SpecError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("base", "near"),
    [
        ("debian:bookwrm", "debian:bookworm"),
        ("debian:bokworm-slim", "debian:bookworm-slim"),
        ("debian:trixi", "debian:trixie"),
        ("debain:bookworm", "debian:bookworm"),
        ("ubuntu:24.4", "ubuntu:24.04"),
        ("ubunut:22.04", "ubuntu:22.04"),
    ],
)
def test_an_unknown_release_of_a_known_distribution_is_refused_with_the_nearest(
    tmp_path: Path, base: str, near: str
) -> None:
    [problem] = refused(tmp_path, base)
    assert str(problem.where) == "envctl.yaml:2:1"
    assert problem.message == f"there is no base {base!r} in the catalogue"
    assert problem.hint.startswith(f"did you mean '{near}'? if an image of that name is meant")
    assert near in problem.expected


@pytest.mark.parametrize("base", ["debian:bullseye", "ubuntu:20.04", "debian", "debian:bookwrm"])
def test_an_image_of_such_a_name_is_taken_where_the_hint_says_so(tmp_path: Path, base: str) -> None:
    [problem] = refused(tmp_path, base)
    meant = problem.hint.partition("write base: ")[2]
    assert meant == f"{{image: {base}}}"
    assert refused(tmp_path, meant) == ()


@pytest.mark.parametrize(
    "base", ["python:3.12", "node:20", "registry.example/team/debian:12", "mine"]
)
def test_other_names_may_be_anything(tmp_path: Path, base: str) -> None:
    assert refused(tmp_path, base, "    packages: [curl]\n") == ()


@pytest.mark.parametrize(
    ("base", "family"),
    [
        ("fedora", "fedora"),
        ("fedora:40", "fedora"),
        ("{image: alpine:3.20}", "alpine"),
        ("alpine", "alpine"),
        ("python:3.12-alpine", "alpine"),
        ("node:20-alpine3.19", "alpine"),
        ("registry.example:5000/library/alpine", "alpine"),
        ("rockylinux/rockylinux:9", "rockylinux"),
        ("quay.io/centos/centos:stream9", "centos"),
        ("registry.access.redhat.com/ubi9/python-312", "ubi9"),
        ("opensuse/leap:15", "opensuse"),
        ("gcr.io/distroless/python3-debian12", "distroless"),
        ("cgr.dev/chainguard/python:latest", "distroless"),
        ("busybox:1.36", "busybox"),
        ("archlinux", "archlinux"),
    ],
)  # fmt: skip
def test_packages_on_a_base_without_apt_are_refused(tmp_path: Path, base: str, family: str) -> None:
    found = refused(tmp_path, base, "    packages: [curl]\n    user: root\n")
    assert [str(one.where) for one in found] == ["envctl.yaml:6:5"]
    assert "installed with apt" in found[0].message
    assert family in found[0].message
    assert "`run` step" in found[0].hint


@pytest.mark.parametrize("base", ["alpine:3.20", "busybox", "gcr.io/distroless/static"])
def test_a_user_that_cannot_be_made_on_a_base_is_refused_and_what_helps_is_right(
    tmp_path: Path, base: str
) -> None:
    [problem] = refused(tmp_path, base)
    assert "the user 'web' is created with useradd" in problem.message
    assert "write user: root, or a number" in problem.hint
    for user in ("root", "1000"):
        assert refused(tmp_path, base, f"    user: {user}\n") == ()


def test_a_base_without_apt_that_needs_none_is_fine(tmp_path: Path) -> None:
    assert refused(tmp_path, "fedora:40", '    build: [{run: "dnf install -y nginx"}]\n') == ()


@pytest.mark.parametrize(
    ("stage", "where", "says"),
    [
        ("base: debian:bookwrm", "envctl.yaml:6:24", "there is no base 'debian:bookwrm' in the catalogue"),
        ("base: {image: 'alpine:3'}, packages: [gcc]", "envctl.yaml:6:45",
         "services.web.stages.c: packages are installed with apt, which the base alpine:3 lacks"),
    ],
)  # fmt: skip
def test_the_base_of_a_stage_is_looked_at_as_that_of_a_service(
    tmp_path: Path, stage: str, where: str, says: str
) -> None:
    service = (
        (
            f"    stages:\n      c: {{{stage}}}\n"
            "    build: [{copy_from: {stage: c, from: /a, to: /b}}]\n"
        )
        .replace("    stages:\n      c:", "    stages: {c:", 1)
        .replace("}\n", "}}\n", 1)
    )
    [problem] = refused(tmp_path, "debian:bookworm", service)
    assert (str(problem.where), problem.message) == (where, says)


def test_a_wrong_base_of_a_service_is_reported_once_for_it_and_its_stages(tmp_path: Path) -> None:
    service = (
        "    stages: {c: {build: [{run: make}]}}\n"
        "    build: [{copy_from: {stage: c, from: /a, to: /b}}]\n"
    )
    [problem] = refused(tmp_path, "debian:bookwrm", service)
    assert str(problem.where) == "envctl.yaml:2:1"


def test_what_stands_in_for_a_tag_is_not_a_distribution() -> None:
    assert without_apt("debian:bookworm@sha256:" + "a" * 64) == ""
    assert without_apt("alpine@sha256:" + "a" * 64) == "alpine"
    assert without_apt("localhost:5000/app") == ""
    assert known_distribution("python:3") == ""


@pytest.mark.parametrize("base", ["alpine:3.20", "fedora", "{image: registry.example/x/alpine}"])
def test_a_base_that_no_machine_can_be_made_of_is_refused_for_machines_alone(
    tmp_path: Path, base: str
) -> None:
    write(
        tmp_path,
        f"project: shop\nservices:\n  web:\n    base: {base}\n    user: root\n    command: [serve]\n"
        "  ready: {image: alpine}\n",
    )
    project = Project(tmp_path, environ={})

    with pytest.raises(SpecError) as caught:
        _ = Session(project, Target("dev", "vagrant")).plan
    [problem] = caught.value.problems
    assert str(problem.where).startswith("envctl.yaml:4:")
    assert "a machine is made with apt" in problem.message
    assert "Debian or Ubuntu" in problem.expected
    assert Session(project, Target("dev", "docker")).plan.unit("web")
