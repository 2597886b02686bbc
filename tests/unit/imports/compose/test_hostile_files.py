"""Whatever a Compose file is, importing it ends: with files and a report, or with an error that has a place."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from envctl.errors import EnvctlError, SpecError
from tests.support.compose_projects import PROJECTS, write_project
from tests.support.compose_report import unreported
from tests.unit.imports.compose.conftest import Import, Imported

STARTS_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_seen: list[list[str]] = []
"""What runs in the present block, if there is one."""


def _note_event(event: str, _arguments: object) -> None:
    if _seen and (event in STARTS_PROCESSES or event.startswith("socket.")):
        _seen[-1].append(event)


sys.addaudithook(_note_event)


@contextmanager
def nothing_runs() -> Iterator[None]:
    """No process is started and nothing is connected to in this block."""
    _seen.append([])
    try:
        yield
    finally:
        events = _seen.pop()
    assert events == []


NASTY = [
    *(
        "null",
        "~",
        "[]",
        "{}",
        "[[]]",
        "{a: {b: c}}",
        "-1",
        "0",
        "1e999",
        "99999999999999999999",
        "0x1f",
        "true",
        "''",
    ),
    *(
        "../..",
        "/etc/passwd",
        "/dev/zero",
        "~root",
        "${",
        "${A:-${B",
        "$",
        "$$",
        "${A:?}",
        "${A:-$(touch /tmp/x)}",
        "`id`",
    ),
    *(
        "!!python/object/apply:os.system ['id']",
        "!append [a]",
        "!reset null",
        "!override {}",
        "*a",
        "&a b",
        "<<: *a",
    ),
    *(
        "\x00",
        "\ud7ff",
        "\u2028",
        "é" * 50,
        "a" * 3000,
        "- " * 60,
        "[" * 60,
        "{" * 60,
        "? a",
        "| \n",
        "%TAG",
        "---",
        "...",
    ),
    *(
        "8080:80:90:1",
        "[::]:1:2",
        "1-99999:1-99999",
        "C:\\a:/b",
        ":",
        "::",
        ":ro",
        "a:/b:z,Z",
        "service_healthy",
        "web",
        "name",
    ),
]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def mutant(text: str, chance: random.Random) -> str:
    """The text with one to four faults."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        index = chance.randrange(len(lines)) if lines else 0
        line = lines[index] if lines else ""
        match chance.randrange(9):
            case 0:
                del lines[index : index + 1]
            case 1:
                lines.insert(index, line)
            case 2:
                lines.insert(chance.randrange(len(lines) + 1), line)
            case 3:
                lines[index : index + 1] = [line.partition(":")[0] + ": " + chance.choice(NASTY)]
            case 4:
                at = chance.randrange(len(line) + 1)
                lines[index : index + 1] = [line[:at] + chance.choice(NASTY) + line[at:]]
            case 5:
                at = chance.randrange(len(line) + 1)
                lines[index : index + 1] = [line[:at] + line[at + chance.randrange(4) :]]
            case 6:
                lines[index : index + 1] = ["  " + line if chance.random() < 0.5 else line[2:]]
            case 7:
                words = line.split(" ")
                chance.shuffle(words)
                lines[index : index + 1] = [" ".join(words)]
            case _:
                other = chance.choice(lines) if lines else ""
                lines[index : index + 1] = [line.partition(":")[0] + ":" + other.partition(":")[2]]
    return "\n".join(lines) + "\n"


def assert_clear(error: EnvctlError, text: str) -> None:
    """An error says what is wrong, and where."""
    assert error.brief, text
    if isinstance(error, SpecError):
        assert error.problems, text
        assert all(problem.where.line for problem in error.problems), text


def import_mutants(folder: Path, number: int, seed: int) -> tuple[int, int]:
    """How many of the mutants were imported, and how many refused."""
    chance = random.Random(seed)
    projects = sorted(PROJECTS)
    imported_number = refused = 0
    for name in projects:
        (folder / name).mkdir()
        write_project(name, folder / name)
    for index in range(number):
        name = projects[index % len(projects)]
        files = [path for path in PROJECTS[name] if path.endswith((".yaml", ".yml", ".env"))]
        file = chance.choice(files)
        text = mutant(PROJECTS[name][file], chance)
        (folder / name / file).write_text(text, encoding="utf-8", errors="replace")
        before = names(folder / name)
        start = time.process_time()
        try:
            with nothing_runs():
                imported = Imported(folder / name)
        except EnvctlError as error:
            refused += 1
            assert_clear(error, text)
        except Exception as error:
            raise AssertionError(f"mutant {index} of {name}/{file}: {error!r}\n{text}") from error
        else:
            imported_number += 1
            for written in imported.texts.values():
                yaml.compose(written, Loader=yaml.SafeLoader)
            read = [path for path in imported.files_read if path != ".env"]
            assert unreported(folder / name, read, imported.lines) == [], text
        assert time.process_time() - start < 20, text
        assert names(folder / name) == before
        (folder / name / file).write_text(PROJECTS[name][file])
    return imported_number, refused


def test_some_mutants_end_well(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 120, seed=1)

    assert imported > 20
    assert refused > 20


@pytest.mark.slow
def test_two_thousand_mutants_end_well(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 2000, seed=16)

    assert imported + refused == 2000
    assert imported > 300
    assert refused > 300


def refusal_of(import_files: Import, files: str | dict[str, str]) -> str:
    """The error, with its place."""
    with pytest.raises(EnvctlError) as raised:
        import_files(files)
    error = raised.value
    if isinstance(error, SpecError):
        return "\n".join(f"{p.where}: {p.message} {p.hint}" for p in error.problems)
    return f"{error.brief} {error.hint}"


SERVICE = "services:\n  web:\n    image: web:1\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("include: [../other.yaml]\n" + SERVICE, "compose.yaml:1:11"),
        ("include: [/etc/passwd]\n" + SERVICE, "compose.yaml:1:11"),
        ("include: ['https://example.com/a.yaml']\n" + SERVICE, "compose.yaml:1:11"),
        ("include: [absent.yaml]\n" + SERVICE, "compose.yaml:1:11"),
        ("include: [compose.yaml]\n" + SERVICE, "compose.yaml:1:11"),
        (SERVICE + "    extends: {file: ../a.yaml, service: web}\n", "compose.yaml:4:21"),
        (SERVICE + "    extends: web\n", "compose.yaml:4:5"),
        (SERVICE + "    extends: absent\n", "compose.yaml:4:14"),
        (SERVICE + "    env_file: ../.env\n", "compose.yaml:4:15"),
        (SERVICE + "    env_file: /etc/passwd\n", "compose.yaml:4:15"),
        ("services:\n  web:\n    build: ..\n", "compose.yaml:3:12"),
        ("services:\n  web:\n    build: /srv\n", "compose.yaml:3:12"),
        ("services:\n  web:\n    build: https://example.com/repo.git\n", "compose.yaml:3:12"),
        ("services:\n  web:\n    build: {dockerfile: ../Dockerfile}\n", "compose.yaml:3:25"),
        ("services:\n  web:\n    restart: always\n", "compose.yaml:2:3"),
        ("services: []\n", "compose.yaml:1:1"),
        ("", "compose.yaml:1:1"),
        (SERVICE + "    command: ${A\n", "compose.yaml:4:14"),
        (SERVICE + "    command: ${A:?it is needed}\n", "compose.yaml:4:14"),
        (SERVICE + "    command: !!python/object/apply:os.system [id]\n", "compose.yaml:4:14"),
        (SERVICE + "    image: again\n", "compose.yaml:4:5"),
        ("services: {Web: {image: a}, web: {image: b}}\n", "compose.yaml:1:29"),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_place(
    import_files: Import, tmp_path: Path, text: str, place: str
) -> None:
    assert f"{place}: " in refusal_of(import_files, text)
    assert names(tmp_path / "project") == ["compose.yaml"]


def test_a_bomb_of_aliases_is_refused(import_files: Import) -> None:
    lines = ["x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert "aliases expand to more than" in refusal_of(import_files, "\n".join([*lines, SERVICE]))


def test_a_bomb_of_variables_is_refused(import_files: Import) -> None:
    env = "A=" + "x" * 1_000_000 + "\n"

    error = refusal_of(
        import_files, {"compose.yaml": SERVICE + f"    command: {'$A' * 30}\n", ".env": env}
    )

    assert "compose.yaml:4:14: variables expand to more than" in error


def test_services_that_extend_each_other_in_a_row_are_bounded(import_files: Import) -> None:
    large = ", ".join(f"A{n}: x" for n in range(2000))
    services = [f"  s0: {{image: a, environment: {{{large}}}}}"]
    services += [f"  s{n}: {{extends: s{n - 1}}}" for n in range(1, 300)]

    assert "extends expands to more than" in refusal_of(
        import_files, "services:\n" + "\n".join(services)
    )


def test_a_huge_file_is_refused(import_files: Import) -> None:
    assert "4 MiB" in refusal_of(import_files, "#" * (5 * 1024 * 1024))


@pytest.mark.parametrize("kind", ["link", "device", "folder", "pipe"])
def test_only_regular_files_of_the_project_are_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    file = folder / "compose.yaml"
    (tmp_path / "secret.yaml").write_text(SERVICE)
    match kind:
        case "link":
            file.symlink_to(tmp_path / "secret.yaml")
        case "device":
            file.symlink_to("/dev/zero")
        case "folder":
            file.mkdir()
        case _:
            os.mkfifo(file)

    with pytest.raises(SpecError) as raised:
        Imported(folder)

    assert raised.value.problems[0].where.file == "compose.yaml"
    assert names(folder) == ["compose.yaml"]


def test_an_included_link_out_of_the_project_is_refused(
    import_files: Import, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "secret.yaml").write_text(SERVICE)
    (tmp_path / "project" / "inc.yaml").symlink_to(tmp_path / "secret.yaml")

    error = refusal_of(import_files, "include: [inc.yaml]\n" + SERVICE)

    assert error.startswith("compose.yaml:1:11: inc.yaml leads outside the project")


def test_commands_of_a_source_stay_texts(import_files: Import, tmp_path: Path) -> None:
    text = (
        SERVICE
        + f"    command: sh -c '$$(touch {tmp_path}/ran)'\n    environment: {{A: '`id`', B: '$${{x}}'}}\n"
    )

    with nothing_runs():
        imported = import_files(text)

    assert imported.spec["services"]["web"]["env"] == {"A": "`id`", "B": "$${x}"}
    assert not (tmp_path / "ran").exists()
