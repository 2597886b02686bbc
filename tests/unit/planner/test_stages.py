"""Builds with stages: what is planned, what they are identified by, and what a rebuild is told to be for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envctl.errors import SpecError
from envctl.plan.build_causes import build_causes, build_text
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Build, Plan, RunCommand
from tests.unit.planner.conftest import Planner, lines

API = """\
  api:
    packages: [curl]
    build_args: {VERSION: "3", MODE: a}
    stages:
      compile:
        packages: [golang]
        build_args: {MODE: b}
        build: [{copy: {from: app, to: /src/}}, {run: {command: make, env: {MORE: "1"}}}]
      assets:
        base: debian:trixie
        build: [{copy_from: {stage: compile, from: /out/a, to: /b}}]
    build:
      - copy_from: {stage: compile, from: /out/app, to: /usr/local/bin/}
      - copy_from: {stage: assets, from: /out, to: /srv/web, owner: api}
      - run: /usr/local/bin/app --version
    command: [app]
"""


def source(plan: Plan) -> Build:
    build = plan.units[0].source
    assert isinstance(build, Build)
    return build


def causes(old: Plan, new: Plan) -> list[str]:
    return [one.text for one in build_causes(source(new), build_text(source(old)))]


def test_stages_are_planned_before_what_copies_from_them(planned: Planner, app: Path) -> None:
    build = source(plan := planned(API))

    assert [stage.name for stage in build.stages] == ["compile", "assets"]
    assert [base.name for base in build.bases] == ["debian:bookworm", "debian:trixie"]
    shown = [line for line in lines(plan, "api") if line.startswith(("  stage", "    ", "  step"))]
    first, second = (stage.build.digest for stage in build.stages)
    assert shown == [
        f"  stage compile: build {first} from debian:bookworm",
        "    step packages golang",
        "    step copy app → /src/",
        "    step run sh: make",
        f"  stage assets: build {second} from debian:trixie",
        "    step copy_from compile /out/a → /b",
        "  step packages curl",
        "  step copy_from compile /out/app → /usr/local/bin/",
        "  step user api (31359)",
        "  step copy_from assets /out → /srv/web",
        "  step run sh: /usr/local/bin/app --version",
    ]


def test_build_arguments_are_variables_of_run_steps_a_stage_s_own_win(
    planned: Planner, app: Path
) -> None:
    build = source(planned(API))
    compiling, last = (
        next(step for step in steps if isinstance(step, RunCommand))
        for steps in (build.stages[0].build.steps, build.steps)
    )

    assert compiling.env == {"VERSION": "3", "MODE": "b", "MORE": "1"}
    assert last.env == {"VERSION": "3", "MODE": "a"}
    assert "VERSION" not in planned(API).units[0].run.process.env


def test_a_changed_file_of_a_stage_is_another_build_and_is_reported_with_the_stage(
    planned: Planner, app: Path
) -> None:
    old = planned(API)
    (app / "main.py").write_text("print(2)\n")
    new = planned(API)

    assert source(old).digest != source(new).digest
    assert causes(old, new) == ["stage compile: build step changed: copy app → /src/"]


def test_what_changed_in_a_stage_is_reported(planned: Planner, app: Path) -> None:
    old = planned(API)

    for before, after, told in (
        ("[golang]", "[golang, git]", ["stage compile: package git added"]),
        ("debian:trixie", "debian:trixie-slim", ["stage assets: base image debian:trixie → debian:trixie-slim"]),
        ("MODE: b", "MODE: c", ["stage compile: argument MODE changed"]),
        ("command: make", "command: make all",
         ["stage compile: build step changed: run sh: make all (was: run sh: make)"]),
        ("owner: api", "owner: root", ["build step changed: copy_from assets /out → /srv/web"]),
        ("      - copy_from: {stage: assets, from: /out, to: /srv/web, owner: api}\n", "",
         ["stage assets removed"]),
    ):  # fmt: skip
        text = API.replace(before, after)
        if "assets, from" not in text:
            start, end = text.index("      assets:"), text.index("    build:\n")
            text = text[:start] + text[end:]
        found = causes(old, planned(text))
        assert found[: len(told)] == told, (found, told)
        assert len(found) == len(told) or "removed" in told[0]


def test_a_secret_of_a_stage_is_one_of_the_build(planned: Planner, app: Path) -> None:
    top = "project: shop\nbase: debian:bookworm\nsecrets: {token: {env: T}}\n"
    text = API.replace("command: make,", "command: make, secrets: [token],")

    assert [secret.name for secret in build_secrets(source(planned(text, top=top)))] == ["token"]


def test_the_same_build_has_the_same_digest_whatever_its_stage_is_next_to(
    planned: Planner, app: Path
) -> None:
    first = source(planned(API))
    second = source(planned(API.replace("command: [app]", "command: [other]")))

    assert first.digest == second.digest
    assert [one.build.digest for one in first.stages] == [one.build.digest for one in second.stages]


def chain(levels: int, copies: int = 1, extra: str = "") -> str:
    """A service whose stages copy from each other in a row, each several times."""

    def steps(stage: int) -> str:
        return ", ".join(
            f"{{copy_from: {{stage: s{stage}, from: /f, to: /g{n}}}}}" for n in range(copies)
        )

    stages = "".join(f"      s{n}: {{build: [{steps(n - 1)}]}}\n" for n in range(1, levels))
    return (
        "  api:\n    stages:\n"
        f"      s0: {{build: [{{run: make}}{extra}]}}\n{stages}"
        f"    build: [{steps(levels - 1)}]\n    command: [a]\n"
    )


def test_the_work_grows_with_the_stages_however_often_they_are_copied_from(
    planned: Planner,
) -> None:
    build = source(planned(chain(40, copies=3)))

    names = [stage.name for stage in build.stages]
    parts = json.loads(build_text(build))
    assert names == [f"s{n}" for n in range(40)]
    # Bases, the user, the command of s0, and the copies.
    assert len(parts) == 41 + 1 + 1 + 40 * 3


def test_a_mistake_in_a_stage_is_reported_once_however_often_it_is_copied_from(
    planned: Planner,
) -> None:
    with pytest.raises(SpecError) as caught:
        planned(chain(20, copies=3, extra=", {copy: {from: nothing, to: /x}}"))
    assert len(caught.value.problems) == 1


def test_another_name_of_a_stage_changes_nothing(planned: Planner, app: Path) -> None:
    renamed = API.replace("compile", "build")

    assert source(planned(renamed)).digest == source(planned(API)).digest
