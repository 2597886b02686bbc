"""Whatever a Dockerfile is, importing it ends: with a valid spec and a report, or with an error that has a place."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from envctl.detect.dockerfile_reader import parse_dockerfile
from envctl.errors import EnvctlError, SpecError
from envctl.project import Project
from envctl.verbs.import_spec import write_imported
from tests.support.dockerfiles import DOCKERFILES, write_dockerfile
from tests.unit.imports.compose.conftest import Imported
from tests.unit.imports.compose.test_hostile_files import nothing_runs

NASTY = (
    "", "\\", "`", "$", "${", "${A:-${B", "$A", "'", '"', "<<EOF", "<<-'E'", "[", '["a"', '[""]', "[]", "[1]", "\0", "\x1b[2J",
    "\ufeff", "\r", "\t", "--from=9", "--from=build", "--mount=type=secret,id=../x", "--chown=a:b:c", "../..", "/", "~", "*", "[a-",
    "a=b", "=", "99999999999999999999", "0-65535", "65535/tcp", "-1", "é", "\u2028", "&&", "||", ";", "$(", "AS", "scratch", "FROM",
    "ONBUILD", "RUN", "COPY", "USER", "useradd web", "x" * 3000, "{{", "${A}" * 50, "/run/secrets/x", "/etc/passwd", "true", "null",
)  # fmt: skip


def mutant(text: str, chance: random.Random) -> str:
    """The text with some words and lines replaced, removed, doubled or swapped."""
    lines = text.split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        words = lines[at].split(" ")
        match chance.randrange(5):
            case 0:
                words[chance.randrange(len(words))] = chance.choice(NASTY)
                lines[at] = " ".join(words)
            case 1:
                del lines[at : at + chance.randint(1, 3)]
                lines = lines or [""]
            case 2:
                lines.insert(at, chance.choice(lines))
            case 3:
                cut = chance.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + chance.choice(NASTY) + lines[at][cut:]
            case _:
                words.insert(chance.randrange(len(words) + 1), chance.choice(NASTY))
                lines[at] = " ".join(words)
    return "\n".join(lines)


def import_mutants(tmp_path: Path, number: int, seed: int) -> tuple[int, int]:
    """How many were imported and refused."""
    chance = random.Random(seed)
    imported = refused = 0
    for index in range(number):
        name = chance.choice([*DOCKERFILES])
        folder = write_dockerfile(name, tmp_path / f"p{index}")
        text = mutant(DOCKERFILES[name]["Dockerfile"], chance)
        (folder / "Dockerfile").write_text(text, "utf-8", newline="")
        begin = time.process_time()
        try:
            with nothing_runs():
                result = Imported(folder, translate=index % 3 > 0)
        except SpecError as error:
            refused += 1
            places = [problem.where.file for problem in error.problems]
            if places != ["Dockerfile"]:
                pytest.fail(f"{text}\n{error}")
        else:
            imported += 1
            check(result, text)
        assert time.process_time() - begin < 20
    return imported, refused


def check(result: Imported, text: str) -> None:
    """The spec is valid, and each instruction has a line."""
    reported = {line["line"] for line in result.lines}
    assert {each.line for each in parse_dockerfile(text).instructions} <= reported
    write_imported(result.folder, result.texts, force=False)
    try:
        Project(result.folder, environ={}).resolved("dev", allow_missing_files=True)
    except SpecError as error:
        raise AssertionError(f"{text}\n{result.texts['envctl.yaml']}\n{error}") from error


def test_mutants_are_imported_or_refused(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 300, seed=3)

    assert imported > 60
    assert refused > 20


@pytest.mark.slow
def test_many_mutants_are_imported_or_refused(tmp_path: Path) -> None:
    imported, refused = import_mutants(tmp_path, 1500, seed=4)

    assert imported > 300
    assert imported + refused == 1500


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian:bookworm\n" + "ENV A=$A$A$A$A$A\n" * 3000,
        "FROM debian:bookworm\nENV A=0123456789\n" + "ENV A=$A$A\n" * 60,
        "FROM debian:bookworm\nRUN " + "a && " * 100_000 + "b\n",
        "FROM debian:bookworm\nRUN " + "( " * 100_000 + "\n",
        "FROM debian:bookworm\nCOPY " + "[" * 100_000 + "\n",
        "FROM debian:bookworm\nCOPY " + "a* " * 3000 + " /x/\n",
        "FROM debian:bookworm\n" + "RUN a \\\n" * 50_000,
        "FROM debian:bookworm AS a\n" + "FROM a AS a\nRUN b\n" * 99,
        "FROM debian:bookworm\nWORKDIR a\n" + "WORKDIR a\n" * 4000,
        "FROM debian:bookworm\nRUN apt-get install " + "-y " * 50_000 + "x\n",
        "FROM debian:bookworm\nEXPOSE " + "1-99 " * 5000 + "\n",
        "A " * 100_000,
        "#" * 100_000 + "\nFROM debian:bookworm\n",
        "x" * 2_000_000,
    ],
    ids=range(14),
)
@pytest.mark.parametrize("translate", [False, True])
def test_large_files_end_in_time(tmp_path: Path, text: str, translate: bool) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    begin = time.process_time()

    with suppress(EnvctlError):  # to refuse it takes little time, too
        Imported(tmp_path, translate=translate)

    assert time.process_time() - begin < 20


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "binary"])
def test_only_texts_of_the_project_are_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    file = folder / "Dockerfile"
    (tmp_path / "secret").write_text("FROM secret\n")
    match kind:
        case "link":
            file.symlink_to(tmp_path / "secret")
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case _:
            file.write_bytes(b"FROM a\n\xff\xfe")

    with pytest.raises(EnvctlError) as raised:
        Imported(folder)

    assert "Dockerfile" in raised.value.brief
    assert "FROM secret" not in str(raised.value)


def test_files_that_wildcards_match_are_not_looked_for_through_links(tmp_path: Path) -> None:
    folder, outside = tmp_path / "project", tmp_path / "outside"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.txt").write_text("")
    (folder / "link").symlink_to(outside)
    (folder / "Dockerfile").write_text('FROM debian:bookworm\nCOPY link/* /x/\nCMD ["true"]\n')

    assert "secret.txt" not in str(Imported(folder, translate=True).lines)
