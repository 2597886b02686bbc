"""Procfiles and .env files become specs of the application beside them; each line is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.process_files import import_procfile
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]

PROCFILE = (
    "web: gunicorn app:app\n# a comment\nworker: python worker.py\nrelease: python migrate.py\n"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Procfile").write_text(PROCFILE)
    (folder / "requirements.txt").write_text("flask\ngunicorn\n")
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    monkeypatch.chdir(folder)
    return folder


def report(data: Any) -> dict[str, tuple[str, str, int]]:
    return {
        line["key"]: (line["outcome"], line["new_file"], line["line"]) for line in data["report"]
    }


def test_each_process_is_a_service_of_one_image(envctl: Run, project: Path) -> None:
    ended = envctl("import", "--json")

    assert ended.code == 0
    assert report(ended.json) == {
        "web": ("translated", "envctl.yaml", 1),
        "worker": ("translated", "envctl.yaml", 3),
        "release": ("translated", "envctl.yaml", 4),
    }
    services = yaml.safe_load((project / "envctl.yaml").read_text())["services"]
    assert services["worker"]["extends"] == "web"
    assert services["release"]["kind"] == "task"
    assert "release" in services["web"]["depends_on"]
    assert envctl("validate").code == 0


def test_the_new_line_is_that_of_the_command(envctl: Run, project: Path) -> None:
    lines = envctl("import", "--json").json["report"]

    (line,) = [line for line in lines if line["key"] == "worker"]
    text = (project / "envctl.yaml").read_text().splitlines()[line["new_line"] - 1]
    assert text.strip() == "command: exec python worker.py"


def test_a_second_import_changes_nothing(envctl: Run, project: Path) -> None:
    envctl("import")
    before = (project / "envctl.yaml").read_text()

    ended = envctl("import")

    assert (ended.code, "wrote" in ended.out) == (0, False)
    assert (project / "envctl.yaml").read_text() == before


def test_lines_that_are_no_process_are_reported_as_dropped(envctl: Run, project: Path) -> None:
    (project / "Procfile").write_text(PROCFILE + "nonsense\nworker: twice\n")

    ended = envctl("import", "--json")

    assert ended.code == 3
    lines = report(ended.json)
    assert lines["line 5"][0] == "dropped"
    # The last of two lines with one name counts.
    outcomes = [line["outcome"] for line in ended.json["report"] if line["key"] == "worker"]
    assert outcomes == ["dropped", "translated"]


def test_variables_of_a_dotenv_stay_where_they_are(envctl: Run, project: Path) -> None:
    (project / ".env").write_text("TOKEN=canary-5512\n")

    ended = envctl("import", "--json")

    assert report(ended.json)["TOKEN"][:2] == ("kept", "envctl.yaml")
    assert "canary-5512" not in (project / "envctl.yaml").read_text()
    assert "env_file: [.env]" in (project / "envctl.yaml").read_text()


def test_a_dotenv_that_no_service_can_read_is_dropped_by_line(envctl: Run, project: Path) -> None:
    (project / ".env").write_text("A=1\nnot a variable\n")

    ended = envctl("import", "--json")

    assert ended.code == 3
    lines = report(ended.json)
    assert lines["A"][0] == lines["line 2"][0] == "dropped"
    assert envctl("validate").code == 0


def test_a_dotenv_alone_takes_the_application_beside_it(envctl: Run, project: Path) -> None:
    (project / "Procfile").unlink()
    (project / ".env").write_text("A=1\n")

    assert envctl("import").code == 0
    assert envctl("validate").code == 0


def test_a_dotenv_without_an_application_is_an_error(envctl: Run, project: Path) -> None:
    for name in ("Procfile", "requirements.txt", "app.py"):
        (project / name).unlink()
    (project / ".env").write_text("A=1\n")

    ended = envctl("import")

    assert ended.code == 1
    assert "no application was recognized" in ended.err
    assert not (project / "envctl.yaml").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"worker: run\n", "Procfile:1:1: no process is called web"),
        (b"", "no process is called web"),
        (b"web: \xff\n", "not UTF-8"),
        (b"web: a\n" * 200_000, "larger than"),
    ],
)
def test_what_cannot_be_imported_is_an_error(
    envctl: Run, project: Path, data: bytes, message: str
) -> None:
    (project / "Procfile").write_bytes(data)

    ended = envctl("import")

    assert ended.code == 1
    assert message in ended.err
    assert not (project / "envctl.yaml").exists()


def test_a_link_out_of_the_project_is_not_read(envctl: Run, project: Path) -> None:
    (project / "Procfile").unlink()
    (project / "Procfile").symlink_to("/etc/passwd")

    ended = envctl("import")

    assert ended.code == 1
    assert "root:" not in ended.err + ended.out


@given(st.text(alphabet="web: release#\n\t$'{}é", max_size=80))
def test_any_procfile_is_imported_with_each_line_reported_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "Procfile").write_text(text)
    try:
        imported: ImportedProject = import_procfile(folder, "Procfile", ImportChoices())
    except EnvctlError:
        return
    lines = {line.position[1] for line in imported.report.lines}
    spoken = {
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    assert lines == spoken
