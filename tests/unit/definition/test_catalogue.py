"""`extends: catalogue/NAME` and `with`: entries of envctl and of a project, their parameters, and mistakes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from envctl import definition
from envctl.definition.entries import catalogues_of
from envctl.definition.names import BUILT_IN
from envctl.definition.tree import ListNode
from envctl.planner.package_layers import package_sets
from tests.unit.definition.helpers import HEAD, load, problems, write

ENTRY = """\
description: A store.
parameters:
  port: {description: Its port., kind: port, default: 7000}
  name: {description: Its name., kind: name, default: "${service}"}
  key: {description: Its secret., kind: secret}
  files: {description: What it reads., kind: files}
  mode: {description: How., required: true}
service:
  packages: [store]
  build:
    - run: echo $HOME $$x $${y}
    - copy: {from: "${files_folder}", to: /srv/, exclude: ["/*", "!/${files_pattern}"]}
  env: {MODE: "m-${mode}", KEY: "/run/secrets/${key}", NAME: "${name}"}
  secrets: ["${key}"]
  volumes: {"${name}": /data}
  command: [store, "--port=${port}", "--key=${key}"]
  healthcheck: {tcp: "${port}"}
"""
EXTEND = "write extends: catalogue/NAME; `envctl catalogue list` shows the entries"
HEAD_WITH = HEAD + "catalogues: [ours]\nsecrets: {token: {generate: 12}}\nservices:\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an entry of its own, `store`."""
    write(tmp_path, "")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "store.yaml").write_text(ENTRY)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "a.sql").write_text("")
    return tmp_path


def mistakes(root: Path, services: str, **overlays: str) -> list[str]:
    """What is wrong with these services: place, message, hint."""
    return [
        f"{problem.where}: {problem.message}" + (f" | {problem.hint}" if problem.hint else "")
        for problem in problems(root, HEAD_WITH + services, **overlays)
    ]


def test_a_service_is_the_entry_with_its_parameters(project: Path) -> None:
    spec = HEAD_WITH + (
        "  one:\n    extends: catalogue/store\n"
        "    with: {mode: fast, key: token, files: db/*.sql, port: 8000}\n"
        "    env: {MORE: x}\n"
    )
    one = load(project, spec).data["services"]["one"]

    assert one["command"] == ["store", "--port=8000", "--key=token"]
    assert one["env"] == {
        "MODE": "m-fast", "KEY": "/run/secrets/token", "NAME": "one", "MORE": "x",
    }  # fmt: skip
    assert list(one["volumes"]) == ["one"]
    assert one["healthcheck"]["test"] == ["127.0.0.1", "8000"]  # type: ignore[index]
    run, copy = one["build"]
    assert run["command"][-1] == "echo $HOME $x ${y}"  # type: ignore[typeddict-item]
    assert (copy["source"], copy["exclude"]) == ("db", ["/*", "!/*.sql"])  # type: ignore[typeddict-item]


def test_what_uses_a_parameter_without_a_value_is_left_out(project: Path) -> None:
    spec = HEAD_WITH + "  one: {extends: catalogue/store, with: {mode: fast, name: null}}\n"
    one = load(project, spec).data["services"]["one"]

    assert one["command"] == ["store", "--port=7000"]
    assert one["env"] == {"MODE": "m-fast"}
    assert (one["secrets"], one["volumes"], len(one["build"])) == ([], {}, 1)


@pytest.mark.parametrize(
    ("files", "folder", "pattern"),
    [("db", ".", "db"), ("db/", "db", "*"), ("./db/a.sql", "db", "a.sql"), ("*.sql", ".", "*.sql")],
)
def test_files_are_a_folder_or_a_pattern_in_one(
    project: Path, files: str, folder: str, pattern: str
) -> None:
    spec = HEAD_WITH + f"  one: {{extends: catalogue/store, with: {{mode: x, files: '{files}'}}}}\n"
    copy = load(project, spec).data["services"]["one"]["build"][1]
    assert (copy["source"], copy["exclude"][1]) == (folder, f"!/{pattern}")  # type: ignore[typeddict-item]


def test_a_value_has_the_place_where_it_is_written(project: Path) -> None:
    spec = HEAD_WITH + "  one:\n    extends: catalogue/store\n    with: {mode: fast, key: token}\n"
    origins = load(project, spec).origins

    assert str(origins.place(("services", "one", "secrets", 0))) == "envctl.yaml:8:29"
    mode = origins.place(("services", "one", "env", "MODE"))
    assert (mode.file, mode.line, mode.note) == ("ours/store.yaml", 13, "mode is 'fast'")
    port = origins.place(("services", "one", "healthcheck", "test"))
    assert (port.file, port.line) == ("ours/store.yaml", 3)


def test_an_overlay_and_a_service_that_extends_it_change_what_an_entry_gives(project: Path) -> None:
    spec = HEAD_WITH + (
        "  one: {extends: catalogue/store, with: {mode: fast, port: 1}, env: {NAME: mine}}\n"
        "  two: {extends: one, packages: !append [more]}\n"
    )
    dev = "services: {one: {with: {port: 2, mode: slow}}}\n"
    found = load(project, spec, dev=dev).data["services"]

    assert found["one"]["command"][1] == "--port=2"  # type: ignore[index]
    assert found["two"]["env"] == {"MODE": "m-slow", "NAME": "mine"}
    assert found["two"]["packages"] == ["store", "more"]


def test_variables_of_the_spec_are_values(project: Path) -> None:
    spec = HEAD_WITH.replace("services:", "vars: {p: 81}\nservices:")
    found = load(
        project, spec + "  one: {extends: catalogue/store, with: {mode: x, port: '${p}'}}\n"
    )
    assert found.data["services"]["one"]["command"][1] == "--port=81"  # type: ignore[index]


def test_every_mistake_has_its_place_and_a_hint(project: Path) -> None:
    assert mistakes(
        project,
        "  one: {extends: catalogue/stor}\n"
        "  two: {extends: store}\n"
        "  three: {extends: catalogue/store}\n"
        "  four: {extends: catalogue/store, with: {mod: x, mode: y}}\n"
        "  five: {extends: catalogue/store, with: {mode: y, port: 0}}\n"
        "  six: {command: [x], with: {mode: y}}\n"
        "  seven: {extends: catalogue/store, with: [mode]}\n"
        "  eight: {extends: catalogue/store, with: {mode: {a: b}, files: 'a*/b'}}\n"
        "  nine: {extends: one, command: [x]}\n"
        "  ten: {extends: catalogue/store, with: {mode: y, key: tokn}}\n",
    ) == [
        "envctl.yaml:6:18: services.one.extends: there is no entry 'stor' in the catalogue | did you mean 'store'?",
        "envctl.yaml:7:18: services.two.extends: no such service: 'store' | did you mean 'catalogue/store'?",
        "envctl.yaml:8:20: services.three.with lacks 'mode': How. | `envctl catalogue show store` shows all parameters",
        "envctl.yaml:9:43: services.four.with: catalogue/store has no parameter 'mod' | did you mean 'mode'?",
        "envctl.yaml:10:58: services.five.with.port: 0 is out of range",
        f"envctl.yaml:11:23: services.six.with: only entries of a catalogue have parameters | {EXTEND}",
        "envctl.yaml:12:37: services.seven.with: expected a mapping, got a list",
        "envctl.yaml:13:50: services.eight.with.mode: expected a text or a number, got a mapping",
        "envctl.yaml:13:65: services.eight.with.files: 'a*/b' has a wildcard before the last /",
        "envctl.yaml:15:56: the secret 'tokn' is not declared | did you mean 'token'?",
    ]


def test_mistakes_in_an_entry_are_shown_with_its_lines(project: Path) -> None:
    text = ENTRY.replace("kind: port", "kind: prt").replace("description: A store.\n", "")
    (project / "ours" / "store.yaml").write_text(text)
    assert [
        at.partition(" |")[0] for at in mistakes(project, "  one: {extends: catalogue/store}\n")
    ] == [
        "ours/store.yaml:1:1: the file lacks 'description'",
        "ours/store.yaml:2:40: parameters.port.kind: 'prt' is not a valid choice",
    ]
    (project / "ours" / "store.yaml").write_text(ENTRY.replace("${mode}", "${mood}"))
    services = "  one: {extends: catalogue/store, with: {mode: x}}\n"
    assert mistakes(project, services) == [
        "ours/store.yaml:13:15: the parameter 'mood' is not declared | did you mean 'mode'?"
    ]


def test_a_catalogue_has_to_be_a_folder_of_the_project(project: Path) -> None:
    spec = HEAD_WITH.replace("[ours]", "[ours, missing, ../up]") + "  web: {command: [x]}\n"
    assert [(str(at.where), at.message) for at in problems(project, spec)] == [
        ("envctl.yaml:3:20", "catalogues: there is no folder 'missing' in the project"),
        ("envctl.yaml:3:29", "catalogues.2: '../up' leads outside the project"),
    ]
    dev = "catalogues: [ours]\n"
    assert "cannot be changed" in mistakes(project, "  web: {command: [x]}\n", dev=dev)[0]


def test_an_entry_of_the_project_is_used_instead_of_envctls(project: Path) -> None:
    (project / "ours" / "redis.yaml").write_text(ENTRY)
    spec = HEAD_WITH + "  one: {extends: catalogue/redis, with: {mode: x}}\n"
    assert load(project, spec).data["services"]["one"]["packages"] == ["store"]


def test_a_changed_entry_is_read_again(project: Path) -> None:
    write(project, HEAD_WITH + "  one: {extends: catalogue/store, with: {mode: x}}\n")
    assert definition.load(project, "dev").data["services"]["one"]["packages"] == ["store"]
    (project / "ours" / "store.yaml").write_text(ENTRY.replace("[store]", "[other]"))
    assert definition.load(project, "dev").data["services"]["one"]["packages"] == ["other"]


def test_packages_of_an_entry_are_the_same_layer_in_all_environments(tmp_path: Path) -> None:
    spec = HEAD + "services:\n  one: {extends: catalogue/nginx}\n"
    dev = "services: {one: {packages: !append [strace]}}\n"
    ((_, sets),) = package_sets(load(tmp_path, spec, dev=dev)).items()
    assert sets == {frozenset({"nginx-light"}), frozenset({"nginx-light", "strace"})}


# --- the entries that envctl brings


BUILT_IN_ENTRIES = catalogues_of(None).names()
GIVEN = "secrets: {a_secret: {generate: 12}}\nservices:\n  a-service:\n    extends: catalogue/"


@pytest.mark.parametrize("name", BUILT_IN_ENTRIES)
def test_an_entry_of_envctl_is_a_valid_service(tmp_path: Path, name: str) -> None:
    entry = catalogues_of(None).entry(name)
    assert entry is not None
    kinds = {"secret": "a_secret", "file": "envctl.yaml"}
    required = {
        word: kinds[parameter["kind"]]
        for word, parameter in entry.data["parameters"].items()
        if parameter["required"]
    }
    with_ = f"\n    with: {required}\n" if required else "\n"
    service = load(tmp_path, HEAD + GIVEN + name + with_).data["services"]["a-service"]

    assert entry.file == f"{BUILT_IN}/{name}.yaml"
    assert service["user"] is not None
    assert service["user"]["name"] != "root"
    assert service["capabilities"] == []
    assert service["healthcheck"] is not None
    assert service["resources"]["memory"] is not None
    assert service["restart"] == "on-failure"
    assert set(service["volumes"]) <= {"a-service"}
    assert all(
        int(str(parameter["default"])) >= 1024
        for parameter in entry.data["parameters"].values()
        if parameter["kind"] == "port"
    )


@pytest.mark.parametrize("name", BUILT_IN_ENTRIES)
def test_an_entry_uses_each_of_its_parameters(name: str) -> None:
    catalogues = catalogues_of(None)
    entry, content = catalogues.entry(name), catalogues.text(name)
    assert entry is not None
    assert content is not None
    service = content[1].decode().partition("\nservice:\n")[2]
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", service))
    unused = {word for word in entry.data["parameters"] if not {word, f"{word}_folder"} & used}
    assert unused == set()


@pytest.mark.parametrize("name", BUILT_IN_ENTRIES)
def test_shellcheck_has_nothing_to_say_against_the_scripts(tmp_path: Path, name: str) -> None:
    entry = catalogues_of(None).entry(name)
    assert entry is not None
    build = entry.service.get("build", ListNode(entry.service.position))
    assert isinstance(build, list)
    steps = [str(step["run"]) for step in build if isinstance(step, dict) and "run" in step]
    scripts = {
        match[1]: match[2].replace("$$", "$")
        for step in steps
        for match in re.finditer(
            r"/bin/(\S+) <<'EOF'\n(#!/bin/sh.*?)^EOF$", step, re.DOTALL | re.MULTILINE
        )
    }
    for title, text in scripts.items():
        (tmp_path / title).write_text(text)
        done = subprocess.run(
            ["shellcheck", "--shell=sh", tmp_path / title],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "", title
