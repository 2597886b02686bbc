"""A dev container becomes a spec that can be planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from tests.support.devcontainers import DEV_CONTAINERS, FILE, write_dev_container
from tests.unit.cli.conftest import Run, envctl
from tests.unit.imports.devcontainer.conftest import Import

__all__ = ["envctl"]


@pytest.mark.parametrize("name", sorted(DEV_CONTAINERS))
def test_what_is_written_is_valid_and_can_be_planned(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = write_dev_container(name, tmp_path / name)

    imported = envctl("import", str(folder / FILE))
    again = envctl("import", str(folder / ".devcontainer"))

    assert imported.code == 3, imported.err
    assert again.out.count("unchanged: ") == 2
    assert envctl("-C", str(folder), "validate").out == "valid: dev\n"
    assert "create app" in envctl("-C", str(folder), "plan", "dev@memory").out


def test_an_image_sleeps_with_the_project_at_the_workspace_folder(
    import_dev_container: Import,
) -> None:
    imported = import_dev_container("image")
    app = imported.spec["services"]["app"]

    assert imported.spec["project"] == "python-3"
    assert app["command"] == ["sleep", "infinity"]
    assert app["workdir"] == "/workspaces/image"
    assert app["user"] == "vscode"
    assert app["env"] == {
        "PYTHONDONTWRITEBYTECODE": "1",
        "TOKEN": "${app_token}",
        "KIND": "${app_token}",
    }
    assert imported.spec["vars"] == {"app_token": "none"}
    assert app["ports"] == ["5000:5000", "3000:3000"]
    assert app["volumes"] == {"image-cache-python-3": "/home/vscode/.cache"}
    assert app["hooks"] == {"after_start": ["pip3 install --user -r requirements.txt"]}
    assert "mounts" not in app
    assert imported.texts["environments/dev.yaml"].splitlines()[3:] == [
        "    mounts:",
        '      - source: "."',
        "        target: /workspaces/image",
    ]


def test_a_dockerfile_is_built_as_the_dev_container_says(import_dev_container: Import) -> None:
    imported = import_dev_container("dockerfile")
    app = imported.spec["services"]["app"]

    assert app["dockerfile"] == {
        "file": ".devcontainer/Dockerfile",
        "context": ".",
        "target": "dev",
        "args": {"VARIANT": "${variant}"},
    }
    assert app["hooks"]["after_start"] == [
        ["sh", "-c", "echo created > /tmp/created"],
        "echo /workspace > /tmp/started",
        ["touch", "/tmp/two"],
    ]
    assert "SYS_PTRACE" in app["capabilities"]
    assert app["env"] == {"MODE": "dev"}
    assert imported.outcomes("build.options")[0][0] == "dropped"
    assert imported.outcomes("runArgs[1]")[0][0] == "dropped"
    assert imported.outcomes("runArgs[2]") == [("dropped", "it belongs to runArgs[1]")]


def test_what_a_dev_container_adds_to_compose_is_only_in_dev(import_dev_container: Import) -> None:
    imported = import_dev_container("compose")
    base = imported.spec["services"]
    dev = imported.texts["environments/dev.yaml"]

    assert base["app"]["command"] == ["sleep", "infinity"]
    assert base["app"]["dockerfile"] == {"file": ".devcontainer/Dockerfile", "context": "."}
    assert {"user", "hooks"} & {*base["app"]} == set()
    assert [mount["source"] for mount in base["app"]["mounts"]] == ["./config", "."]
    for text in ("user: vscode", 'after_start: ["bundle install", bin/setup]', "bundle: /bundle"):
        assert text in dev
    assert 'db:\n    ports: ["5432:5432"]' in dev
    assert "mail:\n    profiles: [optional]" in dev


def test_flags_of_run_mean_what_they_mean_in_compose(import_dev_container: Import) -> None:
    imported = import_dev_container("everything")
    app = imported.spec["services"]["app"]
    options = app["options"]["docker"]

    assert options["ulimits"] == {"nofile": {"soft": 1, "hard": 2}}
    assert options["sysctls"] == {"net.core.somaxconn": 5}
    assert options["extra_hosts"] == {"h": "10.0.0.1"}
    assert options["dns"] == ["10.0.0.2", "10.0.0.3"]
    assert options["devices"] == ["/dev/null", "/dev/zero"]
    assert options["tmpfs"] == {"/tmp/x": "size=1m"}
    assert app["resources"] == {"memory": "1g"}
    assert app["volumes"] == {"app--y": "/y", "m": "/m"}
    assert options["labels"] == {"a": "b"}
    for index in (1, 2, 3, 5, 6):
        assert [outcome for outcome, _ in imported.outcomes(f"runArgs[{index}]")] == ["dropped"]


def test_an_application_with_its_own_command_keeps_it(import_text: Import) -> None:
    imported = import_text('{"image": "a", "overrideCommand": false}')

    assert "command" not in imported.spec["services"]["app"]
    assert [line["key"] for line in imported.lines if line["outcome"] == "dropped"] == []


def test_the_older_keys_for_a_dockerfile_are_read(import_text: Import) -> None:
    imported = import_text(
        {".devcontainer.json": '{"dockerFile": "dev/Dockerfile", "context": "."}'}
    )

    assert imported.spec["services"]["app"]["dockerfile"] == {
        "file": "dev/Dockerfile",
        "context": ".",
    }


def test_a_port_that_another_service_has_gets_a_free_one(import_text: Import) -> None:
    imported = import_text(
        {
            FILE: '{"dockerComposeFile": "c.yml", "service": "a", "forwardPorts": [80, "b:80"]}',
            ".devcontainer/c.yml": "services: {a: {image: x}, b: {image: y}}",
        }
    )

    dev = imported.texts["environments/dev.yaml"]
    assert 'a:\n    ports: ["80:80"]' in dev
    assert 'b:\n    ports: ["80"]' in dev


def test_one_of_several_dev_containers_has_to_be_named(import_text: Import) -> None:
    files = {f".devcontainer/{name}/devcontainer.json": '{"image": "a"}' for name in ("go", "web")}

    with pytest.raises(EnvctlError) as raised:
        import_text(files)

    assert (
        ".devcontainer/go/devcontainer.json, .devcontainer/web/devcontainer.json"
        in raised.value.brief
    )
    named = import_text(files, ".devcontainer/web/devcontainer.json")
    assert named.lines[0]["file"] == ".devcontainer/web/devcontainer.json"
    assert import_text(files, ".devcontainer/go").lines[0]["file"].startswith(".devcontainer/go/")


@pytest.mark.parametrize(("value", "outcome"), [("true", "dropped"), ("false", "kept")])
def test_users_of_an_image_keep_their_numbers(
    import_text: Import, value: str, outcome: str
) -> None:
    imported = import_text(f'{{"image": "a", "updateRemoteUserUID": {value}}}')

    assert [word for word, _ in imported.outcomes("updateRemoteUserUID")] == [outcome]
