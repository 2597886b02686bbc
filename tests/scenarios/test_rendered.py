"""What `render` writes works without envctl, and the field's own tools have nothing to say against it."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def compose(folder, *argv, **environ):
    return subprocess.run(
        ["docker-compose", *argv],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


@pytest.mark.parametrize("environment", ["dev", "test", "prod"])
def test_the_fields_linters_have_nothing_to_say(guestbook, environment, tmp_path):
    folder = tmp_path / "rendered"
    guestbook.cli("render", environment, "-o", str(folder))

    dockerfiles = sorted(str(path) for path in folder.glob("*Dockerfile*"))
    assert dockerfiles
    linted = subprocess.run(["hadolint", *dockerfiles], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")
    checked = compose(folder, "config", GUESTBOOK_DB_PASSWORD="x", DB_PASSWORD="x")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert set(yaml.safe_load(checked.stdout)["services"]) >= {"web", "db", "migrate"}


def test_rendering_twice_gives_the_same_bytes(guestbook, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        guestbook.cli("render", "prod", "-o", str(folder))
    contents = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in folders
    ]

    assert contents[0] == contents[1]


def test_compose_alone_serves_the_guestbook_from_the_rendered_folder(guestbook, engine, tmp_path):
    folder = tmp_path / "rendered"
    guestbook.cli(
        "render",
        "prod",
        "-o",
        str(folder),
        "--with-host-ca",
        "--set",
        f"http_port={guestbook.port}",
    )
    secret = {"DB_PASSWORD": "compose-alone", "GUESTBOOK_DB_PASSWORD": "compose-alone"}
    try:
        done = compose(folder, "up", "-d", "--build", "--wait", **secret)
        assert done.returncode == 0, done.stdout + done.stderr
        assert guestbook.post("by compose") == 201
        assert guestbook.texts() == ["by compose"]
    finally:
        compose(folder, "down", "--volumes", "--rmi", "local", **secret)
