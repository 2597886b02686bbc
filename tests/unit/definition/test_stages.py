"""Stages in a spec: what is read, how an overlay changes it, and what mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.definition.helpers import HEAD, load, problems

API = (
    HEAD
    + """\
services:
  api:
    stages:
      compile: {packages: [golang], build: [{run: make}]}
      assets: {base: debian:trixie, build: [{copy_from: {stage: compile, from: /out/a, to: /b}}]}
    build:
      - copy_from: {stage: assets, from: /out/, to: /srv/web/}
    command: [serve]
"""
)


def test_a_stage_has_the_keys_of_a_build(tmp_path: Path) -> None:
    service = load(tmp_path, API).data["services"]["api"]

    compile_stage, assets = service["stages"]["compile"], service["stages"]["assets"]
    assert (compile_stage["base"], compile_stage["packages"]) == (None, ["golang"])
    assert assets["base"]
    assert assets["base"]["name"] == "debian:trixie"
    assert service["build"][0] == {
        "step": "copy_from",
        "stage": "assets",
        "source": "/out",
        "target": "/srv/web/",
        "owner": "",
    }


def test_an_overlay_replaces_the_base_of_a_stage_and_keeps_the_rest(tmp_path: Path) -> None:
    text = API.replace("base: debian:trixie", "base: {image: own, box: own}")
    overlay = "services: {api: {stages: {assets: {base: {name: debian:trixie}}}}}"

    stage = load(tmp_path, text, dev=overlay).data["services"]["api"]["stages"]["assets"]

    assert stage["base"]
    assert (stage["base"]["name"], stage["base"]["image"]) == (
        "debian:trixie",
        "",
    )
    assert len(stage["build"]) == 1


MISTAKES = {
    "an unknown stage": (("stage: assets", "stage: asset"), "9:28", "services.api.build.0: no such stage: 'asset'"),
    "a stage that nothing is copied from": (
        ("stages:\n", "stages:\n      unused: {build: [{run: make}]}\n"), "6:7", "nothing is copied from the stage 'unused'",
    ),
    "a circle": (
        ("build: [{run: make}]", "build: [{copy_from: {stage: assets, from: /x, to: /y}}]"), "6:65",
        "stages copy from each other in a circle: compile → assets → compile",
    ),
    "a relative path": (("/out/,", "out/,"), "9:42", "'out/' is not an absolute path"),
    "a wildcard": (("/out/,", '"/out/*",'), "9:42", "contains *"),
    "a whole stage": (("/out/,", "/,"), "9:42", "a whole stage cannot be copied"),
    "a mode": (("to: /srv/web/", 'to: /srv/web/, mode: "0644"'), "9:64", "a `run` step there sets them"),
    "an undeclared secret": (
        ("{run: make}", "{run: {command: make, secrets: [token]}}"), "6:77", "the secret 'token' is not declared",
    ),
    "a file that does not exist": (
        ("{run: make}", "{copy: {from: nothing, to: /x}}"), "6:59", "services.api.stages.compile.build.0: 'nothing' does not exist",
    ),
    "a stage in a copy": (
        ("copy_from: {stage: assets, from: /out/", "copy: {from_stage: assets, from: ."), "9:16", "files of a stage are copied by copy_from",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, name: str) -> None:
    (old, new), where, says = MISTAKES[name]

    told = problems(tmp_path, API.replace(old, new))

    assert len(told) == 1
    texts = {f"{one.where.line}:{one.where.column}": f"{one.message} {one.hint}" for one in told}
    assert says in texts.get(where, ""), texts


def test_stages_in_a_long_row_are_a_mistake_and_many_beside_each_other_are_none(
    tmp_path: Path,
) -> None:
    def services(stages: str, last: str) -> str:
        return (
            f"{HEAD}services:\n  api:\n    command: [a]\n    stages:\n{stages}    build: [{last}]\n"
        )

    def copied(name: str) -> str:
        return f"{{copy_from: {{stage: {name}, from: /f, to: /g}}}}"

    row = "".join(
        f"      s{n}: {{build: [{copied(f's{n - 1}') if n else '{run: make}'}]}}\n"
        for n in range(300)
    )
    beside = "".join(f"      s{n}: {{build: [{{run: make}}]}}\n" for n in range(300))

    (told,) = problems(tmp_path, services(row, copied("s299")))
    assert told.message == "services.api: the stage 's50' copies through 50 other stages or more"
    assert told.where.column == 7
    assert (
        problems(tmp_path, services(beside, ", ".join(copied(f"s{n}") for n in range(300)))) == ()
    )


def test_an_image_has_no_stages(tmp_path: Path) -> None:
    told = problems(tmp_path, API.replace("  api:\n", "  api:\n    image: redis:7\n"))

    assert any(
        "stages needs a base to build on" in one.message and one.where.line == 6 for one in told
    )
