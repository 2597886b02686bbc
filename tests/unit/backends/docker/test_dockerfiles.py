"""Builds as Dockerfiles: the same text for the same build, for `up` and for a rendered folder."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from envctl.backends.common.step_views import context_files, slug
from envctl.backends.docker.dockerfiles import dockerfile, trust_files
from envctl.plan.model import (
    Base,
    BuildSecret,
    CopyFiles,
    CopyFromStage,
    InstallPackages,
    RunCommand,
)
from envctl.render.templates import Templates
from tests.support.plans import BASE, build, packages, script
from tests.support.taken import tree

from .conftest import STEPS

RENDER = Templates(None).render


def text(*steps, up=True, trust=False, base=BASE):
    return dockerfile(build(*steps, base=base), up=up, render=RENDER, trust=trust)


def instructions(found):
    """The instructions without comments, each on one line."""
    joined = re.sub(r"\\\n\s*", "", found)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_a_small_build_is_this_dockerfile():
    assert text(
        CopyFiles("app", "/srv", "c0ffee", "web", tree=tree("app", "a")),
        RunCommand(("make", "all")),
    ) == (
        "# Made by envctl render; changes belong in the spec or in templates/docker/.\n"
        "FROM debian:bookworm\n"
        "ARG DEBIAN_FRONTEND=noninteractive\n"
        "\n"
        "# copy app → /srv\n"
        'COPY --chown=web:web ["context/app-' + _stage() + '/", "/srv/"]\n'
        "\n"
        "# run make all\n"
        "# hadolint ignore=DL3059,DL4006\n"
        'RUN ["make", "all"]\n'
        "\n"
        "# What runs is said where it is run, not here.\n"
        "ENTRYPOINT []\n"
    )


def _stage():
    from envctl.plan.digest import digest

    return digest(["c0ffee", ""])[:12]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("trust", [True, False])
def test_the_same_build_gives_the_same_text_one_layer_a_step(up, trust):
    one = text(*STEPS, up=up, trust=trust)
    found = instructions(one)

    assert one == text(*STEPS, up=up, trust=trust)
    layers = [line for line in found if line.startswith(("RUN", "COPY"))]
    assert len(layers) == len(STEPS) + (2 if trust and not up else 0)
    assert all(line.isascii() for line in found)


def test_only_the_builds_of_up_mount_caches_and_certificates():
    assert "--mount=type=cache" in text(*STEPS, up=True)
    assert "--mount=type=bind,source=trust" in text(*STEPS, up=True, trust=True)
    assert "--mount" not in text(*STEPS, up=False, trust=True)
    assert "<<" not in text(*STEPS, up=False)


def test_packages_are_arguments_and_never_part_of_a_script():
    (line,) = [
        one for one in instructions(text(packages("curl", "jq"), up=False)) if one.startswith("RUN")
    ]
    argv = json.loads(line.removeprefix("RUN "))

    assert argv[:2] == ["/bin/sh", "-ec"]
    assert argv[3:] == ["packages", "curl", "jq"]
    assert "curl" not in argv[2]


def test_pip_may_say_which_packages_are_in_conflict():
    (line,) = (one for one in instructions(text(*STEPS)) if "-m pip install" in one)
    # --quiet leaves that out, and tells of a conflict only that there is one.
    assert "--quiet" not in line


def test_a_commands_directory_and_environment_end_with_it():
    found = instructions(text(RunCommand(("make", "$HOME"), "web", "/srv", {"A": "b c"}), up=False))
    assert found[-4:] == [
        "USER web",
        'RUN ["/usr/bin/env", "--chdir=/srv", "--", "A=b c", "make", "$HOME"]',
        "USER root",
        "ENTRYPOINT []",
    ]


def test_a_base_that_is_not_the_catalogues_is_built_on_as_root():
    assert "USER root" in instructions(text(script("a"), base=Base("", "mine:1")))
    assert "USER root" not in instructions(text(script("a")))


def test_the_context_holds_what_the_steps_copy_and_write():
    found = context_files(build(*STEPS))
    shown = {
        re.sub("-[0-9a-f]{12}/", "-X/", path): (file.source or file.text, file.mode)
        for path, file in found.items()
    }
    assert shown == {
        "context/app-X/main.py": ("app/main.py", 0o644),
        "context/app-X/lib/x.py": ("app/lib/x.py", 0o644),
        "context/main.py-X/main.py": ("app/main.py", 0o755),
        "context/web.conf-X/web.conf": ("workers = 4\n", 0o600),
    }


def test_a_folder_that_is_empty_is_made():
    found = instructions(text(CopyFiles("app", "/srv/x", "c"), up=False))
    assert 'RUN ["/bin/mkdir", "-p", "--", "/srv/x/"]' in found


def test_trusted_certificates_are_a_file_and_apts_setting():
    assert sorted(trust_files("PEM")) == ["trust/apt.conf", "trust/ca.crt"]


def test_layers_of_packages_are_alike_for_all_builds_that_share_them():
    one, two = text(packages("a1"), packages("b1")), text(packages("a1"), packages("c1"))
    assert instructions(one)[:3] == instructions(two)[:3]
    assert isinstance(packages("a1"), InstallPackages)


@pytest.mark.parametrize(
    ("name", "expected"), [("a b", "a-b"), ("..", "files"), ("-x", "x"), ("ü.py", "py")]
)
def test_names_in_the_context_mean_nothing_to_a_builder(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize("up", [True, False])
def test_a_step_reads_its_secrets_while_it_runs_and_no_other_does(up):
    secrets = (BuildSecret("token"), BuildSecret("key"))
    found = instructions(
        text(
            script("first"),
            RunCommand(("make",), secrets=secrets),
            RunCommand(("make",), "web", secrets=secrets[:1]),
            up=up,
        )
    )
    told = [line for line in found if line.startswith("RUN")]

    assert "secret" not in told[0]
    assert told[1].startswith(
        "RUN --mount=type=secret,id=token,required=true --mount=type=secret,id=key,required=true "
    )
    # Who runs it can read it: there is nobody else while the step runs.
    assert told[2].startswith("RUN --mount=type=secret,id=token,required=true,mode=0444 ")


def compiled(*steps, base=BASE):
    """A stage that compiles, and the copy out of it."""
    stage = build(*steps, base=base)
    return CopyFromStage("/out/app", "/usr/local/bin/", stage.digest, "compile", stage)


def test_stages_come_before_the_image_in_one_dockerfile():
    found = instructions(
        text(compiled(script("make")), replace(compiled(script("make")), owner="web"))
    )

    assert found == [
        "FROM debian:bookworm AS compile",
        "ARG DEBIAN_FRONTEND=noninteractive",
        'RUN ["/bin/sh", "-ec", "make"]',
        "FROM debian:bookworm",
        "ARG DEBIAN_FRONTEND=noninteractive",
        'COPY --from=compile --chown=0:0 ["/out/app", "/usr/local/bin/"]',
        'COPY --from=compile --chown=web:web ["/out/app", "/usr/local/bin/"]',
        "ENTRYPOINT []",
    ]


@pytest.mark.parametrize("name", ["stage-1", "context"])
def test_a_stage_has_no_name_that_the_builder_gives(name):
    copy = replace(compiled(script("make")), stage=name)
    assert f"FROM debian:bookworm AS {name}-{copy.digest[:12]}" in instructions(text(copy))


def test_a_stage_is_never_taken_for_a_base_or_for_another_stage():
    base = Base("", "compile")
    other = compiled(script("all"))

    found = [
        line
        for line in instructions(text(compiled(script("make")), other, base=base))
        if "compile" in line
    ]

    first = build(script("make")).digest[:12]
    second = other.digest[:12]
    assert found == [
        f"FROM debian:bookworm AS compile-{first}",
        f"FROM debian:bookworm AS compile-{second}",
        "FROM compile",
        f'COPY --from=compile-{first} --chown=0:0 ["/out/app", "/usr/local/bin/"]',
        f'COPY --from=compile-{second} --chown=0:0 ["/out/app", "/usr/local/bin/"]',
    ]


def test_a_stage_has_certificates_secrets_and_files_like_the_image():
    copy = CopyFiles("app", "/srv", "c0ffee", tree=tree("app", "a"))
    command = RunCommand(("make",), secrets=(BuildSecret("token"),))
    step = compiled(copy, command)

    found = text(step, up=False, trust=True)

    assert found.count('COPY ["trust/", "/media/"]') == 2
    assert "--mount=type=secret,id=token" in found
    assert list(context_files(build(step))) == list(context_files(build(copy)))
