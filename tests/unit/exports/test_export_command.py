"""`envctl export`: what it writes, prints and ends with."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_it_writes_a_folder_and_a_report(envctl: Run, full: Path) -> None:
    ended = envctl("export", "compose", "dev", "--output", "out", "--report", "report.txt")

    assert ended.code == 3  # `checks` has no counterpart
    assert (full / "out/compose.yaml").is_file()
    assert "services.web.checks: dropped because" in (full / "report.txt").read_text()
    assert "services.web.checks: dropped because" in ended.out


def test_nothing_dropped_is_a_success(envctl: Run, full: Path) -> None:
    (full / "envctl.yaml").write_text(
        "project: shop\nbase: debian:bookworm\nservices: {web: {command: [sleep, inf]}}\n"
    )
    (full / "environments/prod.yaml").unlink()

    ended = envctl("export", "compose", "--output", "out")

    assert (ended.code, "dropped" in ended.out) == (0, False)


def test_a_dry_run_prints_and_writes_nothing(envctl: Run, full: Path) -> None:
    before = sorted(full.rglob("*"))

    ended = envctl("export", "compose", "dev", "--dry-run")

    assert "# compose.yaml\n" in ended.out
    assert sorted(full.rglob("*")) == before


def test_json_has_files_counts_and_the_report(envctl: Run, full: Path) -> None:
    data = envctl("export", "compose", "dev", "-o", str(full / "out"), "--json").json

    assert data["format"] == "compose"
    assert "compose.yaml" in data["files"]
    lines = {line["key"]: line for line in data["report"]}
    assert lines["services.web.command"]["outcome"] == "kept"
    assert lines["services.web.command"]["new_file"] == "compose.yaml"
    assert data["counts"]["dropped"] == sum(line["outcome"] == "dropped" for line in lines.values())


def test_a_folder_of_the_user_is_refused(envctl: Run, full: Path) -> None:
    (full / "out").mkdir()
    (full / "out/notes.txt").write_text("mine\n")

    ended = envctl("export", "compose", "dev", "-o", "out")

    assert ended.code == 1
    assert "is not empty" in ended.err
    assert [path.name for path in (full / "out").iterdir()] == ["notes.txt"]


def test_an_unknown_format_names_all_formats(envctl: Run, full: Path) -> None:
    ended = envctl("export", "docx", "dev", "-o", "out")

    assert ended.code == 2
    assert "'docx' is not an export format" in ended.err
    assert "compose" in ended.err


def test_without_a_folder_it_says_what_to_write(envctl: Run, full: Path) -> None:
    ended = envctl("export", "compose", "dev")

    assert ended.code == 2
    assert "--output FOLDER or --dry-run" in ended.err


def test_ssh_config_is_for_machines_only(envctl: Run, full: Path) -> None:
    ended = envctl("export", "ssh-config", "dev@memory", "-o", "out")

    assert ended.code == 1
    assert "memory backend does not support" in ended.err
    assert not (full / "out").exists()


def test_builds_trust_the_certificates_of_this_host_if_the_user_says_so(
    envctl: Run, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = ssl.DER_cert_to_PEM_cert(b"certificate of the host")
    (full.parent / "ca.crt").write_text(bundle)
    monkeypatch.setenv("ENVCTL_CA_BUNDLE", str(full.parent / "ca.crt"))

    envctl("export", "compose", "dev", "-o", "without")
    envctl("export", "compose", "dev", "-o", "with", "--with-host-ca")

    assert not (full / "without/trust").exists()
    assert (full / "with/trust/ca.crt").read_text() == bundle


def test_what_runs_builds_nothing_that_could_trust_certificates(envctl: Run, full: Path) -> None:
    ended = envctl("export", "ssh-config", "dev@vagrant", "-o", "out", "--with-host-ca")

    assert (ended.code, "it builds nothing" in ended.err) == (2, True)
