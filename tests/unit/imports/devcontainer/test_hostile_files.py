"""Whatever a devcontainer.json is, importing it ends: with files and a report, or with an error that has a place."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest
import yaml

from envctl.errors import EnvctlError, SpecError
from tests.support.devcontainers import DEV_CONTAINERS, FILE, write_dev_container
from tests.unit.cli.conftest import Run, envctl
from tests.unit.imports.compose.conftest import Imported
from tests.unit.imports.compose.test_hostile_files import (
    assert_clear,
    mutant,
    names,
    nothing_runs,
    refusal_of,
)
from tests.unit.imports.devcontainer.conftest import Import, without_a_line

__all__ = ["envctl"]

TEXTS = [
    *(
        "",
        " ",
        "../..",
        "/etc/passwd",
        "/dev/zero",
        "~root",
        "${",
        "$",
        "$$",
        "${localEnv:}",
        "a:b:c",
    ),
    *(
        "${localEnv:A:${localEnv:B}}",
        "${localEnv:A:b c}",
        "${containerEnv:A}",
        "${localWorkspaceFolder}",
    ),
    *(
        "`id`",
        "$(id)",
        "\\u0000",
        "\\ud83d",
        "type=bind,source=a",
        "--cap-add",
        "-p",
    ),
    *(
        "=,=,=",
        "\\n",
        "a" * 3000,
        "8080:80",
        "image",
        "app",
        "https://example.com/a",
        "-x",
        "a\\\\b",
    ),
]
VALUES = [
    *(
        "null",
        "[]",
        "{}",
        "[[]]",
        '{"a": {"b": null}}',
        "-1",
        "0",
        "1e999",
        "true",
        "false",
        "[null]",
    ),
    *('["a", {"b": 1}]', '{"": 1}', "99999999999999999999", '{"type": "bind"}'),
    *(f'"{text}"' for text in TEXTS),
]
JUNK = [
    "/*",
    "//",
    "'a'",
    "&a",
    "*a",
    "!!python/object/apply:os.system",
    "<<",
    "#",
    "[" * 60,
    "\x00",
    ",",
]
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"(\s*:)?|\b(?:true|false|null|[0-9]+)\b')


def json_mutant(text: str, chance: random.Random) -> str:
    """The text with one to four faults: other values, other keys, and sometimes text that is no JSON."""
    if chance.random() < 0.15:
        return mutant(text, chance)
    for _ in range(chance.randint(1, 4)):
        token = chance.choice([*TOKEN.finditer(text)])
        new = chance.choice(VALUES)
        if token[1]:
            new = f'"{chance.choice(TEXTS)}":'
        elif chance.random() < 0.05:
            new = chance.choice(JUNK)
        text = f"{text[: token.start()]}{new}{text[token.end() :]}"
    return text


def import_mutants(folder: Path, number: int, seed: int) -> tuple[int, int]:
    """How many of the mutants were imported, and how many refused."""
    chance = random.Random(seed)
    projects = sorted(DEV_CONTAINERS)
    imported_number = refused = 0
    for index in range(number):
        name = projects[index % len(projects)]
        project = write_dev_container(name, folder / name)
        text = json_mutant(DEV_CONTAINERS[name][FILE], chance)
        (project / FILE).write_text(text, encoding="utf-8", errors="replace")
        before = names(project)
        start = time.process_time()
        try:
            with nothing_runs():
                imported = Imported(project / FILE)
        except EnvctlError as error:
            refused += 1
            assert_clear(error, text)
        except Exception as error:
            raise AssertionError(f"mutant {index} of {name}: {error!r}\n{text}") from error
        else:
            imported_number += 1
            imported.folder = project
            for written in imported.texts.values():
                yaml.compose(written, Loader=yaml.SafeLoader)
            assert names(project) == before
            assert without_a_line(imported) == [], text
            (project / "copy").rename(folder / f"copy{index}")
        assert time.process_time() - start < 20, text
    return imported_number, refused


def test_some_mutants_end_well(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 160, seed=1)

    assert imported > 30
    assert refused > 30


@pytest.mark.slow
def test_eight_hundred_mutants_end_well(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 800, seed=7)

    assert imported > 150
    assert refused > 150


@pytest.mark.slow
def test_what_is_written_for_mutants_is_valid(envctl: Run, tmp_path: Path) -> None:
    """Only the files that a mutant names may be missing."""
    chance = random.Random(3)
    valid = 0
    for index in range(80):
        name = sorted(DEV_CONTAINERS)[index % len(DEV_CONTAINERS)]
        project = write_dev_container(name, tmp_path / f"{name}{index}")
        (project / FILE).write_text(json_mutant(DEV_CONTAINERS[name][FILE], chance), "utf-8")
        if envctl("import", str(project / FILE)).code in (0, 3):
            ended = envctl("-C", str(project), "validate")
            assert ended.code == 0 or "does not exist" in ended.err, ended.err
            valid += ended.code == 0

    assert valid > 20


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ("{}", "1:1"),
        ("[]", "1:1"),
        ('{"image": "a", "image": "b"}', "1:16"),
        ("{'image': 1}", "1:2"),
        ('{"image": a}', "1:11"),
        ('{\n\t"image": "a', "2:11"),
        ('{"image": "a"} /* b', "1:16"),
        ('{"image": ""}', "1:2"),
        ('{"build": {"dockerfile": "../../Dockerfile"}}', "1:26"),
        ('{"build": {"dockerfile": "/etc/passwd"}}', "1:26"),
        ('{"build": {"dockerfile": "D", "context": "../.."}}', "1:42"),
        ('{"build": {"context": "."}}', "1:11"),
        ('{"dockerFile": "https://example.com/Dockerfile"}', "1:16"),
        ('{"dockerComposeFile": "../../c.yml", "service": "a"}', "1:23"),
        ('{"dockerComposeFile": ["/c.yml"], "service": "a"}', "1:24"),
        ('{"dockerComposeFile": "absent.yml", "service": "a"}', "1:23"),
        ('{"dockerComposeFile": []}', "1:2"),
        ('{"image": "a", "runArgs": [' + "1," * 1001 + "1]}", "1:27"),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_place(
    import_text: Import, tmp_path: Path, text: str, place: str
) -> None:
    assert f"{FILE}:{place}: " in refusal_of(import_text, text)
    assert names(tmp_path / "project") == [".devcontainer"]


def test_the_service_has_to_exist_in_the_compose_files(import_text: Import) -> None:
    files = {
        FILE: '{"dockerComposeFile": "c.yml", "service": "ap"}',
        ".devcontainer/c.yml": "services: {app: {image: a}}",
    }

    assert "there is no service 'ap'" in refusal_of(import_text, files)


def test_a_huge_file_is_refused(import_text: Import) -> None:
    assert "larger than 1 MiB" in refusal_of(import_text, "{" + " " * 2_000_000)


def test_deep_nesting_is_refused(import_text: Import) -> None:
    assert "nested deeper" in refusal_of(import_text, '{"a": ' + "[" * 60)


def test_a_bomb_of_variables_ends(import_text: Import) -> None:
    large = "x" * 400_000
    text = f'{{"image": "a", "containerEnv": {{"A": "{large}"}}, "remoteEnv": {{"B": "{"${containerEnv:A}" * 30_000}"}}}}'

    imported = import_text(text)

    assert [outcome for outcome, _ in imported.outcomes("remoteEnv.B")] == ["dropped"]


@pytest.mark.parametrize("kind", ["link", "device", "folder", "pipe"])
def test_only_regular_files_of_the_project_are_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "project" / ".devcontainer"
    folder.mkdir(parents=True)
    (tmp_path / "secret.json").write_text('{"image": "a"}')
    file = folder / "devcontainer.json"
    match kind:
        case "link":
            file.symlink_to(tmp_path / "secret.json")
        case "device":
            file.symlink_to("/dev/zero")
        case "folder":
            file.mkdir()
        case _:
            os.mkfifo(file)

    for path in (folder.parent, folder, file):
        with pytest.raises(SpecError) as raised:
            Imported(path)
        assert raised.value.problems[0].where.file == FILE


def test_a_linked_folder_is_not_followed_out_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "devcontainer.json").write_text('{"image": "a"}')
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".devcontainer").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SpecError) as raised:
        Imported(tmp_path / "project")

    assert "leads outside the project" in raised.value.problems[0].message


def test_commands_of_a_source_stay_texts(import_text: Import, tmp_path: Path) -> None:
    text = f'{{"image": "a", "initializeCommand": "touch {tmp_path}/ran", "postCreateCommand": "touch {tmp_path}/ran ${{x}} $(id)"}}'

    with nothing_runs():
        imported = import_text(text)

    assert imported.spec["services"]["app"]["hooks"]["after_start"] == [
        f"touch {tmp_path}/ran $${{x}} $$(id)"
    ]
    assert not (tmp_path / "ran").exists()
