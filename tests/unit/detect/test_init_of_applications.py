"""`init` in a folder with an application: what it writes is valid, and can be planned, whatever the application is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.applications import APPLICATIONS, EXAMPLES, write_application
from tests.support.project import TREE
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_spec_of_an_application_is_valid_and_can_be_planned(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_application(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))

    ended = envctl("init", "--yes", "--name", "app")

    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} - {".state"} == {
        *(path.partition("/")[0] for path in APPLICATIONS[name]),
        "envctl.yaml",
    }
    ended = envctl("validate")
    assert (ended.out, ended.code) == ("valid: dev, prod\n", 0), ended.err
    for environment in ("dev", "prod"):
        ended = envctl("plan", f"{environment}@memory")
        assert ended.code == 0, ended.err
        assert "+ create web " in ended.out


EXPECTED = {
    "flask-redis": ("a Flask application", "flask --app app:app run --debug", "REDIS_URL: redis://redis:6379/0"),
    "fastapi-postgresql": ("a FastAPI application", "uvicorn main:app --host=0.0.0.0 --port=8000 --reload", "http://127.0.0.1:8000/healthz"),
    "django-celery": ("a Django application", "manage.py runserver", "DB_PASSWORD: {secret: db_password}"),
    "uv": ("a Flask application", "x:create_app", "uv sync --frozen"),
    "poetry": ("a FastAPI application", "x.main:api", "postgresql+asyncpg://app:${secret.db_password}@db:5432/app"),
    "pyproject": ("a Flask application", "app:app", "packages: [flask>=3]"),
    "python": ("a Python program", "/opt/web/bin/python server.py", "PORT: 8000"),
    "express": ("an Express application", "npm start", "http://127.0.0.1:3000/healthz"),
    "node-mysql": ("a Node.js application", "node --watch", "mongoose talks to MongoDB, which is not in the catalogue"),
    "express-mariadb": ("an Express application", "extends: catalogue/mariadb", "DB_HOST: db"),
    "vite": ("a page that Vite builds", "npx vite --host", "npx vite preview"),
    "go": ("a program in Go", "go run .", "base: debian:bookworm"),
    "go-files": ("a program in Go", "copy_from: {stage: compile from: /out/web to: /usr/local/bin/web}", "stages: null"),
    "go-cmd": ("a program in Go", "go run ./cmd/serve", "base: debian:trixie"),
    "rails": ("a Rails application", "rails server", "libpq-dev"),
    "sinatra": ("an application in Ruby", "bundle exec ruby app.rb", "tcp: 4567"),
    "php": ("a site in PHP", "apache2ctl", "DocumentRoot /srv/web\n"),
    "composer": ("a site in PHP", "php-mbstring, php-pgsql", "./src: /srv/web/src"),
    "php-mariadb": ("a site in PHP", "extends: catalogue/mariadb", "packages: [apache2 libapache2-mod-php php-cli php-mysql]"),
    "maven": ("an application in Java", "mvn --batch-mode", "tcp: 9000"),
    "gradle": ("an application in Java", "sh ./gradlew", "build/libs"),
    "static": ("a static site", "build: !append", ".: {target: /srv/www, read_only: true}"),
    "static-public": ("a static site", "with: {root: public}", "./public: {target"),
    "dockerfile": ("a project with a Dockerfile", "dockerfile: Dockerfile", "mounts: {.: /app}"),
    "dockerfile-node": ("a project with a Dockerfile", "no port", "extends: catalogue/postgresql"),
    "procfile": ("a project with a Procfile", "exec python worker.py", "env_file: [.env]"),
    "procfile-flask": ("a project with a Procfile", "$${MODULE:-app}:app", "requirements: /srv/web/requirements.txt"),
}  # fmt: skip
"""By application, what is said of it, and two texts of its spec without quotes and commas of lists of words."""


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_is_recognized(envctl: Run, tmp_path: Path, name: str) -> None:
    write_application(name, tmp_path)
    title, *texts = EXPECTED[name]

    ended = envctl("-C", str(tmp_path), "init", "--yes")

    assert ended.out.startswith(f"found {title}: "), ended.out
    spec = (tmp_path / "envctl.yaml").read_text()
    assert spec.startswith("# yaml-language-server: $schema=")
    plain = spec.replace("'", "")
    for text in texts:
        assert text in plain or text in plain.replace(",", ""), plain


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_the_spec_that_init_writes(envctl: Run, tmp_path: Path, name: str) -> None:
    write_application(name, tmp_path)

    assert envctl("-C", str(tmp_path), "init", "--yes", "--name", name).code == 0

    written = (tmp_path / "envctl.yaml").read_text()
    assert (TREE / "examples" / name / "envctl.yaml").read_text() == written


def test_short_steps_are_on_one_line_and_scripts_are_not(envctl: Run, tmp_path: Path) -> None:
    write_application("php", tmp_path)

    assert envctl("-C", str(tmp_path), "init", "--yes").code == 0

    lines = (tmp_path / "envctl.yaml").read_text().splitlines()
    assert "      - copy: {from: ., to: /srv/web/, exclude: [/envctl.*, .*]}" in lines
    assert "      - run: |" in lines


def test_a_base_is_named_only_if_something_is_built_on_it(envctl: Run, tmp_path: Path) -> None:
    for name in ("dockerfile", "dockerfile-node"):
        write_application(name, tmp_path / name)
        assert envctl("-C", str(tmp_path / name), "init", "--yes").code == 0

    assert "\nbase:" not in (tmp_path / "dockerfile/envctl.yaml").read_text()
    # Its database is of the catalogue.
    assert "\nbase: debian:bookworm\n" in (tmp_path / "dockerfile-node/envctl.yaml").read_text()


def test_dev_does_not_repeat_the_service(envctl: Run, tmp_path: Path) -> None:
    write_application("express", tmp_path)

    assert envctl("-C", str(tmp_path), "init", "--yes").code == 0

    assert (tmp_path / "envctl.yaml").read_text().count("command: [npm, start]") == 1


def test_files_of_a_spec_are_never_overwritten(envctl: Run, tmp_path: Path) -> None:
    write_application("express", tmp_path)
    (tmp_path / "environments").mkdir()
    overlay = tmp_path / "environments" / "dev.yaml"
    overlay.write_text("mine")

    ended = envctl("-C", str(tmp_path), "init", "--yes")

    assert ended.code == 1
    assert "environments/dev.yaml already exists; nothing was written" in ended.err
    assert overlay.read_text() == "mine"
    assert not (tmp_path / "envctl.yaml").exists()


def test_an_env_file_that_cannot_be_read_is_not_used(envctl: Run, tmp_path: Path) -> None:
    write_application("procfile", tmp_path)
    (tmp_path / ".env").write_text("A=${NOT_SET}\n")

    assert envctl("-C", str(tmp_path), "init", "--yes").code == 0

    assert "env_file" not in (tmp_path / "envctl.yaml").read_text()
