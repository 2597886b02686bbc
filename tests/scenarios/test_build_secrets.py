"""Secrets of builds: their steps can read them while they run, and nothing that is left has them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest

from envctl.backends.docker.buildkit_session import BuildSession
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_requests import events
from envctl.backends.docker.registries import Registries
from envctl.host.private_state import state_path
from tests.scenarios.test_canary import (
    CANARY,
    found_in_files,
    found_in_tar,
    watched_command_lines,
)

pytestmark = [pytest.mark.engine, pytest.mark.slow]

TOP = """
secrets:
  token: {env: BUILD_TOKEN}
  made: {generate: 32}
"""
SERVICES = """
web:
  user: web
  build:
    - run: {command: "sha256sum < /run/secrets/token > /as-root; test ! -e /run/secrets/made", secrets: [token]}
    - run: {command: "mkdir /own; chown web /own"}
    - run: {command: "sha256sum < /run/secrets/token > /own/as-user; wc -c < /run/secrets/made > /own/made", user: web, secrets: [token, made]}
    - run: "test -z \\"$(ls -A /run/secrets 2>/dev/null)\\""
  command: [sleep, infinity]
"""


@pytest.fixture
def project(make_project):
    made = make_project().spec(SERVICES, top=TOP)
    made.environ = {**made.environ, "BUILD_TOKEN": CANARY}
    return made


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def read(project, path):
    return project.cli("exec", "dev", "web", "cat", path).stdout.split()[0]


def test_a_step_reads_its_secrets_and_they_are_nowhere_afterwards(project, engine, tmp_path):
    said = []
    with watched_command_lines() as seen:
        for argv in (
            ["config", "dev"],
            ["plan", "dev"],
            ["up", "dev"],
            ["plan", "dev", "--json"],
            ["lock"],
            ["render", "dev", "-o", str(tmp_path / "rendered")],
        ):
            done = project.cli(*argv)
            assert done.returncode == 0, done.stderr
            said += [done.stdout, done.stderr]

    assert read(project, "/as-root") == read(project, "/own/as-user") == digest(CANARY)
    assert read(project, "/own/made") == "32"
    assert project.up() == []
    label = {"label": f"dev.envctl.project={project.name}"}
    images = engine.api.images(filters=label)
    inspected = [str(engine.api.inspect_image(one["Id"])) for one in images]
    inspected += [str(engine.api.history(one["Id"])) for one in images]
    inspected += [str(one) for one in engine.api.containers(all=True, filters=label)]
    (store,) = state_path(project.root, "secrets").rglob("made")
    for value in (CANARY, store.read_text()):
        assert not [text for text in (*said, *inspected) if value in text]
        assert not [line for line in seen if value.encode() in line]
    assert images
    for image in images:
        saved = io.BytesIO(b"".join(engine.api.get_image(image["Id"])))
        assert found_in_tar(saved) == []
    assert found_in_files(project.root) == found_in_files(tmp_path / "rendered") == []


def test_another_value_builds_nothing_again_and_another_name_does(project):
    project.up()
    project.environ = {**project.environ, "BUILD_TOKEN": "another-value"}
    assert project.up() == []

    project.spec(SERVICES.replace("secrets: [token]}", "secrets: [token, made]}").replace("; test ! -e /run/secrets/made", ""), top=TOP)  # fmt: skip
    assert project.up()[0] == "build web"


def test_what_is_built_already_needs_no_value(project):
    project.up()
    project.environ = {key: value for key, value in os.environ.items() if key != "BUILD_TOKEN"}
    assert project.up() == []
    assert project.cli("plan", "dev").returncode == 0


def test_a_secret_without_a_value_is_reported_before_anything_is_done(project):
    project.environ = {key: value for key, value in os.environ.items() if key != "BUILD_TOKEN"}
    done = project.cli("up", "dev")

    assert done.returncode == 1
    assert "envctl.yaml:5:3" in done.stderr
    assert "set BUILD_TOKEN" in done.stderr
    assert project.ids() == {}


def test_a_value_that_a_failing_step_prints_is_not_told(project):
    spec = 'web: {build: [{run: {command: "cat /run/secrets/token; exit 3", secrets: [token]}}], command: [x]}\n'
    project.spec(spec, top=TOP)
    done = project.cli("up", "dev")
    locked = project.cli("lock")

    for one in (done, locked):
        assert one.returncode == 1
        assert "exit code 3" in one.stderr
        assert CANARY not in one.stdout + one.stderr
        assert "‹secret token›" in one.stdout + one.stderr


def test_the_rendered_folder_says_which_build_is_given_which_secrets(project, engine, tmp_path):
    folder = tmp_path / "rendered"
    project.cli("render", "dev", "-o", str(folder))
    environ = {**os.environ, "BUILD_TOKEN": CANARY, "MADE": "x" * 32}
    read = subprocess.run(
        ["docker-compose", "config", "--format", "json"], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )  # fmt: skip
    known = json.loads(read.stdout)
    linted = subprocess.run(
        ["hadolint", str(folder / "web.Dockerfile")], capture_output=True, text=True, check=False
    )

    assert (read.returncode, linted.returncode, linted.stdout) == (0, 0, "")
    named = {one["source"] for one in known["services"]["web"]["build"]["secrets"]}
    assert {known["secrets"][one]["environment"] for one in named} == {"BUILD_TOKEN", "MADE"}
    assert "BUILD_TOKEN" in (folder / "README.md").read_text()
    assert "buildx" in (folder / "README.md").read_text()
    # Compose needs a plugin for builds with secrets, which need not be here: what it would do is done by hand.
    image = built_by_hand(folder, {"token": CANARY.encode(), "made": b"x" * 32})
    try:
        run = engine.containers.run(image, ["cat", "/own/as-user", "/own/made"], remove=True)
        assert run.decode().split() == [digest(CANARY), "-", "32"]
    finally:
        engine.images.remove(image, force=True)


def built_by_hand(folder, secrets):
    """Build the only Dockerfile of a rendered folder; the image's id."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(folder, ".")
    own = Engine()
    with (
        own.doing("x") as api,
        BuildSession(api, registries=Registries(), values=secrets) as session,
    ):
        params = {"version": "2", "session": session.id, "dockerfile": "web.Dockerfile"}
        headers = {"Content-Type": "application/x-tar"}
        with api.request(
            "POST", "/build", params=params, headers=headers, body=context.getvalue(), timeout=300
        ) as answer:
            answers = list(events(answer))
    own.close()
    assert not [one["error"] for one in answers if "error" in one]
    return next(one["aux"]["ID"] for one in answers if one.get("id") == "moby.image.id")
