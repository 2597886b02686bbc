"""`envctl import` writes a spec, never over another one, and reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compose_projects import PROJECTS, write_project
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]

CLEAN = "services:\n  web:\n    image: web:1\n    restart: always\n"
DROPPING = CLEAN + "    tty: true\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text(CLEAN)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_writes_the_spec_and_nothing_else(envctl: Run, project: Path) -> None:
    ended = envctl("import")

    assert ended.code == 0
    assert {*files(project)} == {"compose.yaml", "envctl.yaml", "environments/dev.yaml"}
    assert "compose.yaml:4 services.web.restart: kept → envctl.yaml:7" in ended.out
    assert envctl("validate").out == "valid: dev\n"


def test_a_dropped_key_makes_the_exit_code_3(envctl: Run, project: Path) -> None:
    (project / "compose.yaml").write_text(DROPPING)

    ended = envctl("import")

    assert ended.code == 3
    assert "compose.yaml:5 services.web.tty: dropped because services have no terminal" in ended.out


def test_a_second_time_changes_nothing(envctl: Run, project: Path) -> None:
    envctl("import")
    before = files(project)

    ended = envctl("import")

    assert (ended.code, files(project)) == (0, before)
    assert ended.out.count("unchanged: ") == 2


def test_it_never_overwrites_without_force(envctl: Run, project: Path) -> None:
    envctl("import")
    (project / "envctl.yaml").write_text("mine\n")
    (project / "environments" / "dev.yaml").unlink()

    refused = envctl("import")

    assert refused.code == 1
    assert "envctl.yaml already exists: nothing was written" in refused.err
    assert {*files(project)} == {"compose.yaml", "envctl.yaml"}
    assert envctl("import", "--force").code == 0
    assert "project: shop" in (project / "envctl.yaml").read_text()


def test_a_dry_run_prints_and_writes_nothing(envctl: Run, project: Path) -> None:
    ended = envctl("import", "--dry-run")

    assert ended.code == 0
    assert "# envctl.yaml\n" in ended.out
    assert 'image: "web:1"' in ended.out
    assert {*files(project)} == {"compose.yaml"}


def test_the_report_goes_to_a_file(envctl: Run, project: Path) -> None:
    envctl("import", "--report", "report.txt")

    assert "compose.yaml:3 services.web.image: kept" in (project / "report.txt").read_text()


def test_links_are_not_written_through(envctl: Run, project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "environments").symlink_to(tmp_path / "elsewhere")

    ended = envctl("import", "--force")

    assert ended.code == 1
    assert "is a link: nothing was written" in ended.err
    assert not (project / "envctl.yaml").exists()
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_kubernetes_is_out_of_scope(envctl: Run, project: Path) -> None:
    (project / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")

    ended = envctl("import", "pod.yaml")

    assert ended.code == 1
    assert "Kubernetes manifest, which is out of scope" in ended.err


def test_a_folder_without_any_file_is_an_error(envctl: Run, project: Path) -> None:
    (project / "compose.yaml").unlink()

    assert "there is nothing to import in" in envctl("import").err
    assert "does not exist" in envctl("import", "absent.yaml").err


def test_exposure_is_kept_on_demand(envctl: Run, project: Path) -> None:
    (project / "compose.yaml").write_text(CLEAN + "    ports: ['80:80', '127.0.0.1:81:81']\n")

    closed = envctl("import", "--dry-run", "--json").json
    opened = envctl("import", "--dry-run", "--json", "--keep-exposure").json

    assert 'ports: ["80:80", "81:81"]' in closed["files"]["envctl.yaml"]["text"]
    assert opened["files"]["envctl.yaml"]["text"].count("public: true") == 1


def test_capabilities_of_docker_are_left_out_on_demand(envctl: Run, project: Path) -> None:
    usual = envctl("import", "--dry-run", "--json").json["files"]["envctl.yaml"]["text"]
    hardened = envctl("import", "--dry-run", "--json", "--harden").json

    assert "capabilities: [AUDIT_WRITE, CHOWN," in usual
    assert "capabilities" not in hardened["files"]["envctl.yaml"]["text"]


def test_moved_secrets_are_written_nowhere(envctl: Run, project: Path) -> None:
    (project / "compose.yaml").write_text(
        "services:\n"
        "  web: {image: 'web:1', environment: {DB_PASSWORD: hunter2, TOKEN_FILE: /run/a}}\n"
        "  db: {image: 'db:1', environment: {POSTGRES_PASSWORD: hunter2}}\n"
    )

    offered = envctl("import", "--dry-run")
    moved = envctl("import", "--move-secrets", "--json", "--report", "report.txt")

    assert "looks like a secret: --move-secrets" in offered.out
    assert moved.code == 0
    written = files(project)
    assert all("hunter2" not in text for path, text in written.items() if path != "compose.yaml")
    assert "hunter2" not in moved.out
    assert written["envctl.yaml"].count("secret: db_password") == 2
    assert envctl("validate").code == 0


@pytest.mark.parametrize("name", [name for name in PROJECTS if name != "refused"])
def test_what_is_imported_is_valid(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / name).mkdir()
    folder = str(write_project(name, tmp_path / name))

    for choices in ([], ["--keep-exposure", "--harden", "--move-secrets", "--force"]):
        assert envctl("-C", folder, "import", *choices).code in (0, 3)
        ended = envctl("-C", folder, "validate")
        assert (ended.code, ended.err) == (0, "")
