"""A Dockerfile becomes a service that is built from it, or from packages and steps; each instruction is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envctl.detect.dockerfile_reader import parse_dockerfile
from envctl.errors import SpecError
from tests.support.dockerfiles import DOCKERFILES, MULTI_STAGE, NATIVE, write_dockerfile
from tests.unit.cli.conftest import Run, envctl
from tests.unit.imports.compose.conftest import Imported

__all__ = ["envctl"]


def imported(
    tmp_path: Path, text: str, files: dict[str, str] | None = None, **choices: bool
) -> Imported:
    folder = tmp_path / "shop"
    folder.mkdir(exist_ok=True)
    for path, content in {"Dockerfile": text, **(files or {})}.items():
        (folder / path).write_text(content)
    return Imported(folder, **choices)


def translated(tmp_path: Path, text: str, **files: str) -> Any:
    """The service of a Dockerfile on a base, with a command."""
    text = f'FROM debian:bookworm\n{text}\nCMD ["sleep", "9"]\n'
    return imported(tmp_path, text, files, translate=True).spec["services"]["web"]


@pytest.mark.parametrize("name", DOCKERFILES)
@pytest.mark.parametrize("translate", [False, True])
def test_every_instruction_has_a_line(tmp_path: Path, name: str, translate: bool) -> None:
    folder = write_dockerfile(name, tmp_path / "shop")
    lines = {line["line"] for line in Imported(folder, translate=translate).lines}

    parsed = parse_dockerfile(DOCKERFILES[name]["Dockerfile"])
    numbers = {each.line for each in parsed.instructions} | {line for line, *_ in parsed.directives}
    assert numbers <= lines


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("backend", ["docker", "vagrant"])
def test_a_translation_can_be_planned_on_containers_and_machines(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, backend: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = write_dockerfile(name, tmp_path / name)

    done = envctl("-C", str(folder), "import", "--translate")

    assert done.code in (0, 3), done.err
    text = (folder / "envctl.yaml").read_text()
    assert "dockerfile:" not in text
    assert "base: " in text
    assert envctl("-C", str(folder), "validate", f"dev@{backend}").code == 0


def test_without_a_translation_the_dockerfile_is_built(tmp_path: Path) -> None:
    service = imported(tmp_path, MULTI_STAGE).spec["services"]["web"]

    assert service == {"dockerfile": "Dockerfile", "ports": ["8000"]}


def test_an_image_that_starts_as_root_gets_dockers_capabilities(tmp_path: Path) -> None:
    text = "FROM debian:bookworm AS a\nUSER web\nFROM a\nUSER root\n"

    assert "NET_BIND_SERVICE" in imported(tmp_path, text).spec["services"]["web"]["capabilities"]
    hardened = imported(tmp_path, text, harden=True).spec["services"]["web"]
    assert "capabilities" not in hardened
    inherited = imported(tmp_path, text.replace("USER root\n", ""))
    assert "capabilities" not in inherited.spec["services"]["web"]


def test_ports_volumes_and_the_health_check_of_an_image_are_repeated(tmp_path: Path) -> None:
    text = (
        "FROM x\nARG P=80\nENV Q=$P\nEXPOSE $Q 53/udp 7000-7001\nVOLUME /a/data /b/data\n"
        'HEALTHCHECK --timeout=5s CMD ["true"]\n'
    )

    service = imported(tmp_path, text).spec["services"]["web"]

    assert service["ports"] == ["80", "53/udp", "7000", "7001"]
    assert service["volumes"] == {"data": "/a/data", "data-1": "/b/data"}
    assert service["healthcheck"]["command"] == ["true"]
    assert service["healthcheck"]["timeout"] == "5s"
    assert service["healthcheck"]["interval"] == "30s"


def test_what_the_spec_cannot_repeat_is_dropped_with_its_reason(tmp_path: Path) -> None:
    result = imported(tmp_path, "FROM x\nEXPOSE $PORT\nRUN --mount=type=secret,id=a true\n")

    assert [outcome for outcome, _ in result.outcomes("EXPOSE")] == ["dropped"]
    assert "$PORT is not known" in result.outcomes("EXPOSE")[0][1]
    assert [outcome for outcome, _ in result.outcomes("RUN --mount")] == ["dropped"]


def test_a_multi_stage_file_becomes_stages(tmp_path: Path) -> None:
    spec = imported(tmp_path, MULTI_STAGE, {"server.py": ""}, translate=True).spec
    service = spec["services"]["web"]

    assert service["base"] == "debian:bookworm"
    assert service["packages"] == ["python3"]
    assert service["user"] == {"name": "app", "uid": 1500}
    assert service["workdir"] == "/srv/app"
    assert service["env"] == {"PYTHONUNBUFFERED": "1"}
    assert service["command"] == ["python3", "server.py"]
    assert service["ports"] == ["8000"]
    assert "capabilities" not in service
    assert service["stages"]["build"]["build_args"] == {"GREETING": "hello"}
    copy = {"stage": "build", "from": "/src/greeting", "to": "/srv/app/", "owner": "app:app"}
    assert service["build"] == [
        {"copy_from": copy},
        {"copy": {"from": "server.py", "to": "/srv/app/", "owner": "app:app"}},
    ]


def test_pip_in_a_virtual_environment_is_a_pip_step(tmp_path: Path) -> None:
    write_dockerfile("python", tmp_path / "shop")
    service = Imported(tmp_path / "shop", translate=True).spec["services"]["web"]

    assert service["build"][0] == {"copy": {"from": "requirements.txt", "to": "/app/"}}
    assert service["build"][1] == {
        "pip": {"venv": "/opt/venv", "requirements": "/app/requirements.txt"}
    }
    assert service["build"][2]["copy"]["exclude"] == ["/envctl.*", "/environments/dev.yaml"]
    assert service["command"] == ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]
    assert service["healthcheck"]["interval"] == "90s"
    assert service["healthcheck"]["retries"] == 5


@pytest.mark.parametrize("requirements", ["-e .\n", "./local\n", "-r other.txt\n", "--no-index\n"])
def test_requirements_that_depend_on_the_folder_stay_a_command(
    tmp_path: Path, requirements: str
) -> None:
    command = "python3 -m venv /v && /v/bin/pip install -r requirements.txt"
    text = f"COPY requirements.txt /app/\nWORKDIR /app\nRUN {command}"

    steps = translated(tmp_path, text, **{"requirements.txt": requirements})["build"]

    assert steps[1:] == [{"run": {"command": command, "workdir": "/app"}}]


def test_a_stage_that_starts_from_another_has_its_steps(tmp_path: Path) -> None:
    write_dockerfile("node", tmp_path / "shop")
    service = Imported(tmp_path / "shop", translate=True).spec["services"]["web"]

    assert service["packages"] == service["stages"]["deps"]["packages"] == ["nodejs", "npm"]
    assert {"npm": {"directory": "/srv", "production": True}} in service["stages"]["deps"]["build"]
    assert service["options"]["vagrant"] == {"stop_signal": "SIGINT"}
    assert service["build"][1]["copy"]["mode"] == "755"
    write = service["build"][2]["run"]
    assert write[-2:] == ['env = "production"\n', "/etc/app.conf"]
    assert service["command"] == ["/bin/sh", "-c", "start.sh"]


def test_packages_after_a_change_of_repositories_stay_commands(tmp_path: Path) -> None:
    install = "apt-get update && apt-get install -y --no-install-recommends"
    text = f"RUN {install} curl\nRUN echo x > /etc/apt/sources.list.d/x.list\nRUN {install} more"

    service = translated(tmp_path, text)

    assert service["packages"] == ["curl"]
    assert service["build"][-1] == {"run": f"{install} more"}


def test_an_update_before_an_installation_that_stays_a_command_is_not_lost(tmp_path: Path) -> None:
    text = "ARG NAME=curl\nRUN apt-get update\nRUN apt-get install -y $NAME"

    service = translated(tmp_path, text)

    assert service["build"] == [{"run": "apt-get update && apt-get install -y $$NAME"}]
    assert service["build_args"] == {"NAME": "curl"}


def test_recommended_packages_are_reported(tmp_path: Path) -> None:
    text = 'FROM debian:bookworm\nRUN apt-get update && apt-get install -y curl\nCMD ["true"]\n'
    outcomes = imported(tmp_path, text, translate=True).outcomes("RUN")

    assert [outcome for outcome, note in outcomes if "only recommend" in note] == ["dropped"]


@pytest.mark.parametrize(
    "script",
    ["a; b", "a || b", "a &", "if true; then a; fi", "(a && b)", "{ a && b; }", "a && b || c"],
)
def test_a_script_that_is_more_than_a_chain_stays_as_it_is(tmp_path: Path, script: str) -> None:
    steps = translated(tmp_path, f"RUN apt-get install -y x && {script}")["build"]

    assert steps == [{"run": ["/bin/sh", "-c", f"apt-get install -y x && {script}"]}]


@pytest.mark.parametrize("script", ["echo 'a && b; c' && d", 'echo "$(a; b) && c"', "a | b 2>&1"])
def test_a_chain_is_a_text(tmp_path: Path, script: str) -> None:
    steps = translated(tmp_path, f"RUN {script}")["build"]

    assert steps == [{"run": script.replace("$", "$$")}]


def test_secrets_of_a_build_are_secrets_of_the_spec(tmp_path: Path) -> None:
    write_dockerfile("repository", tmp_path / "shop")
    spec = Imported(tmp_path / "shop", translate=True).spec
    runs = [step["run"] for step in spec["services"]["web"]["build"]]

    assert spec["secrets"] == {"token": {"env": "TOKEN"}}
    assert [run["secrets"] for run in runs if "secrets" in run] == [["token"]]


BLOCKED = {
    "FROM python:3.12-slim": "FROM",
    "FROM scratch": "FROM",
    "FROM debian": "FROM",
    "FROM debian:bookworm\nADD https://example.com/x /x": "ADD",
    "FROM debian:bookworm\nADD x.tar.gz /x": "ADD",
    "FROM debian:bookworm\nCOPY --from=alpine:3 /a /b": "COPY",
    "FROM debian:bookworm\nCOPY --parents a b /c/": "COPY",
    "FROM debian:bookworm\nCOPY absent* /c/": "COPY",
    "FROM debian:bookworm\nCOPY ../a /c/": "COPY",
    "FROM debian:bookworm\nRUN --mount=type=bind,target=/a true": "RUN",
    "FROM debian:bookworm\nRUN --mount=type=ssh true": "RUN",
    "FROM debian:bookworm\nRUN --network=none true": "RUN",
    "FROM debian:bookworm\nARG TARGETARCH": "ARG",
    "FROM debian:bookworm\nRUN useradd --weird 3 web\nUSER web": "RUN",
}


@pytest.mark.parametrize(("text", "instruction"), BLOCKED.items())
def test_what_has_no_counterpart_keeps_the_dockerfile(
    tmp_path: Path, text: str, instruction: str
) -> None:
    result = imported(tmp_path, f'{text}\nCMD ["true"]\n', translate=True)

    assert result.spec["services"]["web"]["dockerfile"] == "Dockerfile"
    notes = [note for outcome, note in result.outcomes("--translate") if outcome == "dropped"]
    assert any(note.startswith(f"{instruction} has no counterpart") for note in notes)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("RUN a\nFROM x\n", 1),
        ("FROM x\nNONSENSE y\n", 2),
        ("FROM x\nRUN\n", 2),
        ("FROM x\n\nRUN cat <<EOF\nnever\n", 3),
        ("FROM x AS\n", 1),
        ("ARG A=${B\nFROM x\n", 1),
        ("# escape=x\nFROM x\n", 1),
    ],
)
def test_what_docker_would_refuse_is_an_error_with_its_place(
    tmp_path: Path, text: str, line: int
) -> None:
    for translate in (False, True):
        with pytest.raises(SpecError) as raised:
            imported(tmp_path, text, translate=translate)
        where = raised.value.problems[0].where
        assert (where.file, where.line) == ("Dockerfile", line)


def test_a_second_translation_changes_nothing(envctl: Run, tmp_path: Path) -> None:
    folder = str(write_dockerfile("python", tmp_path / "shop"))

    first = envctl("-C", folder, "import", "--translate")
    second = envctl("-C", folder, "import", "--translate")

    assert first.code == second.code == 0
    assert second.out.count("unchanged: ") == 2
    assert envctl("-C", folder, "validate").code == 0
