"""`envctl export devcontainer`: devcontainer.json beside a Compose file. What the CLI makes of it is in tests/scenarios/test_devcontainer.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from envctl.conversion.conversion_report import KeyOutcome
from envctl.errors import EnvctlError
from envctl.exports.devcontainer.devcontainer_export import DEVCONTAINER
from envctl.exports.export_format import Export
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.export_target import export
from tests.unit.cli.conftest import Run

HEAD = "project: shop\nbase: debian:bookworm\nservices:\n"


def _export(folder: Path, services: str = "", *, service: str = "") -> Export:
    """An export of dev, of a spec with other services if there are any."""
    if services:
        (folder / "envctl.yaml").write_text(HEAD + services)
        (folder / "environments/prod.yaml").unlink()
    project = Project(folder, environ={})
    return export(project, DEVCONTAINER, [Target("dev")], service=service)


def _text(made: Export, path: str) -> str:
    content = made.written.files[path]
    assert isinstance(content, bytes)
    return content.decode()


def _settings(made: Export) -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(_text(made, "devcontainer.json"))
    return data


def _service(made: Export, name: str = "web") -> Mapping[str, Any]:
    service: Mapping[str, Any] = yaml.safe_load(_text(made, "compose.yaml"))["services"][name]
    return service


def test_the_settings_name_the_compose_file_and_the_service_to_work_in(full: Path) -> None:
    assert _settings(_export(full)) == {
        "name": "shop dev",
        "dockerComposeFile": ["compose.yaml"],
        "service": "web",
        "runServices": ["db", "seed", "web", "worker"],
        "workspaceFolder": "/workspaces/shop",
        "overrideCommand": False,
        "shutdownAction": "stopCompose",
        "remoteUser": "web",
        "forwardPorts": [8000, 9000],
        "portsAttributes": {
            "8000": {"label": "web", "onAutoForward": "silent"},
            "9000": {"label": "web", "onAutoForward": "silent"},
        },
        "secrets": {"SHOP_PASSWORD": {"description": "The secret password of envctl.yaml."}},
    }


def test_no_file_names_the_folder_of_this_machine(full: Path) -> None:
    texts = [text for text in _export(full).written.files.values() if isinstance(text, bytes)]

    assert not any(str(full).encode() in text for text in texts)
    assert b"${PROJECT_DIR:-..}/pages" in b"".join(texts)


def test_people_work_where_the_code_is_mounted(full: Path) -> None:
    made = _export(
        full,
        "  db: {image: 'postgres:15', ports: ['5432:5432']}\n"
        "  app: {command: [sleep, inf], mounts: {./pages: /srv/pages, ./: /srv/all}}\n",
    )

    assert (_settings(made)["service"], _settings(made)["workspaceFolder"]) == ("app", "/srv/all")
    assert _settings(made)["forwardPorts"] == ["db:5432"]


def test_without_mounted_code_people_work_in_the_service_with_ports(full: Path) -> None:
    made = _export(
        full,
        "  cache: {image: 'redis:7'}\n"
        "  app: {command: [sleep, inf], ports: ['8000:8000']}\n"
        "  setup: {kind: task, command: ['true']}\n",
    )

    assert _settings(made)["service"] == "app"


def test_the_user_chooses_the_service(full: Path) -> None:
    assert _settings(_export(full, service="worker"))["service"] == "worker"


def test_a_service_that_does_not_exist_is_an_error_with_a_suggestion(full: Path) -> None:
    with pytest.raises(EnvctlError, match="--service wokrer: no such service") as raised:
        _export(full, service="wokrer")

    assert raised.value.hint == "did you mean 'worker'?"


def test_a_project_that_is_not_mounted_gets_a_mount_without_private_state(full: Path) -> None:
    (full / ".envctl").mkdir()
    (full / ".git").mkdir()

    volumes = _service(_export(full))["volumes"]

    by_target = {volume["target"]: volume for volume in volumes}
    assert by_target["/workspaces/shop"]["source"] == "${PROJECT_DIR:-..}"
    assert by_target["/workspaces/shop/.envctl"]["type"] == "tmpfs"
    assert by_target["/workspaces/shop/.git"]["read_only"] is True


def test_a_folder_that_is_mounted_read_only_is_not_where_people_work(full: Path) -> None:
    made = _export(
        full,
        "  app: {command: [sleep, inf], mounts: [{source: pages, target: /srv, read_only: true}]}\n",
    )

    assert _settings(made)["workspaceFolder"] == "/workspaces/shop"


def test_the_service_to_work_in_builds_the_image_that_it_shares(full: Path) -> None:
    made = _export(
        full,
        "  first: {packages: [git], user: app, command: [sleep, inf]}\n"
        "  app: {extends: first, ports: ['8000:8000']}\n",
    )

    assert _settings(made)["service"] == "app"
    assert "build" in _service(made, "app")
    assert "build" not in _service(made, "first")


def test_terminals_of_users_without_a_login_shell_get_a_shell(full: Path) -> None:
    made = _export(full)

    assert _service(made)["environment"]["SHELL"] == "/bin/bash"
    assert "SHELL" not in _service(made, "worker")["environment"]


def test_a_shell_of_the_spec_stays(full: Path) -> None:
    made = _export(full, "  app: {user: app, env: {SHELL: /bin/sh}, command: [sleep, inf]}\n")

    assert _service(made, "app")["environment"]["SHELL"] == "/bin/sh"


def test_a_mount_from_outside_of_the_project_is_reported(full: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    made = _export(full, f"  app: {{command: [sleep, inf], mounts: {{{outside}: /data}}}}\n")

    (line,) = (line for line in made.report.lines if line.path == "services.app.mounts[0]")
    assert "outside of the project" in line.note
    assert str(outside) in _text(made, "compose.yaml")


def test_a_copy_of_the_whole_project_is_reported_unless_it_leaves_the_folder_out(
    full: Path,
) -> None:
    made = _export(
        full,
        "  app:\n    build: [{copy: {from: ., to: /srv/}}]\n    command: [sleep, inf]\n"
        "  tidy:\n    build: [{copy: {from: ., to: /srv/, exclude: [.devcontainer]}}]\n"
        "    command: [sleep, inf]\n",
    )

    noted = {line.path: line for line in made.report.lines if ".devcontainer" in line.note}
    assert [*noted] == ["services.app.build[0]"]
    assert noted["services.app.build[0]"].outcome is KeyOutcome.TRANSLATED


def test_a_read_only_container_is_reported(full: Path) -> None:
    lines = {line.path: line.note for line in _export(full).report.lines}

    assert "leave it out in dev" in lines["services.web.options.docker.read_only"]


def test_the_command_line_writes_the_folder_of_the_project(envctl: Run, full: Path) -> None:
    ended = envctl("export", "devcontainer", "dev", "-o", ".devcontainer", "--service", "worker")

    assert ended.code == 3  # `checks` has no counterpart
    settings = json.loads((full / ".devcontainer/devcontainer.json").read_text())
    assert settings["service"] == "worker"
    again = envctl("export", "devcontainer", "dev", "-o", ".devcontainer")
    assert again.code == 3
    settings = json.loads((full / ".devcontainer/devcontainer.json").read_text())
    assert settings["service"] == "web"


def test_files_of_the_user_in_the_folder_are_left_alone(envctl: Run, full: Path) -> None:
    (full / ".devcontainer").mkdir()
    (full / ".devcontainer/devcontainer.json").write_text("{}\n")

    ended = envctl("export", "devcontainer", "dev", "-o", ".devcontainer")

    assert (ended.code, "is not empty" in ended.err) == (1, True)
    assert (full / ".devcontainer/devcontainer.json").read_text() == "{}\n"


def test_other_formats_take_no_service(envctl: Run, full: Path) -> None:
    ended = envctl("export", "compose", "dev", "-o", "out", "--service", "web")

    assert (ended.code, "--service is not for compose" in ended.err) == (2, True)
    assert not (full / "out").exists()
