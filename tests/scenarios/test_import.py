"""A Compose project that was imported comes up and answers as it did."""

from __future__ import annotations

import json
import os
import time
import urllib.request

import pytest

from tests.support.devcontainers import DEV_CONTAINERS
from tests.support.dockerfiles import DOCKERFILES
from tests.support.imported_projects import ANSWERS, IMPORTED
from tests.support.project import unique

pytestmark = [pytest.mark.engine, pytest.mark.slow]

COMPOSE = """
name: NAME
x-common: &common
  restart: unless-stopped
services:
  web:
    <<: *common
    build:
      context: ./web
      args: {GREETING: "${GREETING:-hello}"}
    ports: ["8000"]
    environment:
      STORE: store
      PASSWORD: ${PASSWORD:?needed}
    volumes: ["./web:/app:ro", "cache:/var/cache/app"]
    depends_on:
      store: {condition: service_healthy}
    healthcheck:
      test: ["CMD-SHELL", "python3 -c \\"import urllib.request as u; u.urlopen('http://127.0.0.1:8000')\\""]
      interval: 1s
    user: nobody
  store:
    build: ./store
    command: sh -c "while sleep 1; do echo tick; done"
    stop_grace_period: 1s
    healthcheck: {test: "true", interval: 1s}
volumes:
  cache:
"""
PROD = """
services:
  web:
    environment: {STORE: prod-store}
"""
WEB = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends python3
ARG GREETING
RUN echo "$GREETING" > /greeting
WORKDIR /app
COPY . .
CMD ["python3", "server.py"]
"""
SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        words = [open("/greeting").read().strip(), os.environ["STORE"], os.environ["PASSWORD"]]
        self.wfile.write(" ".join(words).encode())


HTTPServer(("", 8000), Handler).serve_forever()
"""


@pytest.fixture
def imported(make_project, engine):
    """A project with Compose files, imported; its password has become a secret."""
    project = make_project()
    project.write("compose.yaml", COMPOSE.replace("NAME", project.name))
    project.write("compose.prod.yaml", PROD).write(".env", "PASSWORD=s3cret\nGREETING=hey\n")
    project.write("web/Dockerfile", WEB).write("web/server.py", SERVER)
    project.write("store/Dockerfile", "FROM debian:bookworm\n")
    done = project.cli("import", "--move-secrets")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def answer(project, target, service="web"):
    port = json.loads(project.cli("port", target, service, "--json").stdout)[0]
    deadline = time.monotonic() + 120
    while True:  # a Compose file without a health check says nothing of when a service answers
        try:
            with urllib.request.urlopen(f"http://{port['address']}/", timeout=20) as response:
                return response.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_an_imported_project_comes_up_and_answers(imported):
    environ = {**os.environ, "PASSWORD": "s3cret"}
    for environment, text in (("dev", "hey store s3cret"), ("prod", "hey prod-store s3cret")):
        done = imported.cli("up", environment, "--yes", environ=environ)
        assert done.returncode == 0, done.stderr
        assert answer(imported, environment) == text
    assert "s3cret" not in (imported.root / "envctl.yaml").read_text()
    again = imported.cli("import", "--move-secrets")
    assert (again.returncode, "wrote" in again.stdout) == (0, False)
    for environment in ("dev", "prod"):
        assert imported.cli("down", environment, "-v").returncode == 0


@pytest.mark.parametrize("name", IMPORTED)
def test_projects_of_teams_come_up_after_an_import(make_project, engine, name):
    comes_up_and_answers(imported_as_it_is(make_project(), name), name, "dev")


def test_a_dev_container_comes_up_and_runs_commands_in_the_workspace(make_project, engine):
    project = make_project()
    for path, text in DEV_CONTAINERS["dockerfile"].items():
        project.write(path, text.replace('"Tools"', f'"{project.name}"'))
    project.write("code.txt", "mine").write(".dockerignore", "written.txt\n")

    imported = project.cli("import")
    assert imported.returncode == 3, imported.stdout + imported.stderr
    assert "build.options: dropped because" in imported.stdout
    done = project.cli("up", "dev", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    script = "cat code.txt /tmp/created /tmp/started && pwd && echo $MODE > written.txt"
    ran = project.cli("exec", "dev", "app", "--", "sh", "-c", script)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.split() == ["minecreated", "/workspace", "/workspace"]
    assert (project.root / "written.txt").read_text() == "dev\n"
    assert "no changes" in project.cli("plan", "dev").stdout
    assert project.cli("down", "dev", "-v").returncode == 0


@pytest.mark.machines
@pytest.mark.long
def test_a_project_of_a_team_comes_up_on_machines_after_an_import(make_project, machines):
    project = imported_as_it_is(make_project(), "flask-redis")

    comes_up_and_answers(project, "flask-redis", "dev@vagrant")


def imported_as_it_is(project, name):
    for path, text in IMPORTED[name].items():
        project.write(path, text)
    compose = (project.root / "compose.yaml").read_text()
    project.write("compose.yaml", f"name: {project.name}\n{compose}")
    done = project.cli("import")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return project


def comes_up_and_answers(project, name, target):
    service, first, second = ANSWERS[name]
    done = project.cli("up", target, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert first in answer(project, target, service)
    assert second in answer(project, target, service)
    assert "no changes" in project.cli("plan", target).stdout
    assert project.cli("down", target, "-v").returncode == 0


@pytest.mark.parametrize("options", [(), ("--translate",)])
def test_a_dockerfile_answers_the_same_as_it_is_and_translated(make_project, engine, options):
    name = unique()  # that of the folder, which the import takes for the project
    project = make_project(name, name=name)
    for path, text in DOCKERFILES["multi-stage"].items():
        project.write(path, text)
    done = project.cli("import", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("dockerfile:" in (project.root / "envctl.yaml").read_text()) is not bool(options)

    up = project.cli("up", "dev", "--yes")

    assert up.returncode == 0, up.stdout + up.stderr
    assert answer(project, "dev") == "hello from /src\n"
    assert project.cli("down", "dev", "-v").returncode == 0
