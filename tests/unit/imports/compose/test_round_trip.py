"""What is rendered from an import is what Compose reads in the source, but for what the report says was dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.imports.compose.compose_files import NAMES
from tests.support.compose_projects import PROJECTS, write_project
from tests.support.compose_round_trip import config, differences, read_rendered
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]

OVERLAYS = {
    "dev": ["compose.override.yaml"],
    "prod": ["compose.prod.yaml"],
}
ROUNDS = [*((name, "dev") for name in PROJECTS if name != "refused"), ("merged", "prod")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "environment"), ROUNDS)
def test_compose_reads_the_same_in_what_is_rendered(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, environment: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / name
    folder.mkdir()
    write_project(name, folder)
    file = next(path for path in PROJECTS[name] if path in NAMES)
    files = [file, *(each for each in OVERLAYS[environment] if (folder / each).exists())]

    imported = envctl("-C", str(folder), "import", "--json")
    assert imported.code in (0, 3), imported.err
    done = envctl("-C", str(folder), "render", environment, "--output", str(tmp_path / "rendered"))
    assert done.code == 0, done.err

    rendered = read_rendered(tmp_path / "rendered")
    assert [*differences(config(folder, *files), rendered, imported.json["report"])] == []


CHANGES = {
    "environment": {"A": "another"},
    "command": ["another"],
    "user": "7",
    "restart": "always",
    "working_dir": "/elsewhere",
    "stop_signal": "SIGHUP",
    "healthcheck": {"test": ["CMD", "another"]},
    "ports": [{"target": 1, "published": "1", "protocol": "tcp", "host_ip": "127.0.0.1"}],
    "volumes": [{"type": "volume", "source": "a", "target": "/another"}],
    "depends_on": {"off": {"condition": "service_started"}},
    "secrets": [{"source": "a"}],
    "mem_limit": "1000000000",
}


@pytest.mark.slow
def test_the_comparison_notices_what_differs(tmp_path: Path) -> None:
    source = config(write_project("processes", tmp_path), "compose.yaml")
    services = {name: {**service, "image": "x"} for name, service in source["services"].items()}

    assert not [line for line in differences(source, source, [], loopback=False) if "ports" in line]
    for key, value in CHANGES.items():
        changed = {**source, "services": {**services, "web": {**services["web"], key: value}}}
        lines = "\n".join(differences(source, changed, [], loopback=False))
        assert f"services.web.{'limits' if key == 'mem_limit' else key}: " in lines
