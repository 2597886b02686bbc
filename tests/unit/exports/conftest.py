"""A project that sets every key of a service, and its exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import envctl as envctl  # noqa: PLC0414 - the fixture

FULL = """\
project: shop
base: debian:bookworm
default: dev
vars: {level: info, port: "8080"}
secrets:
  password: {env: SHOP_PASSWORD}
accept: [{category: packages, key: "*", reason: for a test}]
services:
  web:
    kind: service
    packages: [python3]
    build_args: {VERSION: "3"}
    stages:
      compile: {packages: [gcc], build: [{run: mkdir -p /out && touch /out/app}]}
    build:
      - run: test -n "$VERSION"
      - copy_from: {stage: compile, from: /out/app, to: /usr/local/bin/}
      - copy: {from: page.html, to: /srv/}
    user: web
    workdir: /srv
    env: {LOG_LEVEL: "${level}", URL: {template: "postgres://:${secret.password}@db/"}}
    command: [python3, -m, http.server, "8000"]
    ports: ["${port}:8000", {container: 9000, public: true, host: 9000}]
    mounts: [{source: pages, target: /srv/pages, read_only: true}]
    volumes: {uploads: /srv/uploads}
    secrets: [password]
    healthcheck: {http: "http://127.0.0.1:8000/", interval: 2s}
    depends_on: {db: started, seed: completed}
    replicas: 1
    resources: {cpus: 0.5, memory: 128m}
    restart: always
    restart_on: [page.html]
    checks: {page: [test, -e, /srv/page.html]}
    hooks: {after_start: [[touch, /srv/uploads/ready]], before_stop: [[rm, -f, /srv/uploads/ready]]}
    capabilities: [NET_BIND_SERVICE]
    options: {docker: {stop_signal: SIGINT, read_only: true}, vagrant: {memory: 512m}}
  worker:
    extends: web
    ports: []
    volumes: {uploads: null, results: /srv/uploads}
  db:
    image: postgres:15
    platform: linux/amd64
  seed:
    kind: task
    dockerfile: {context: site, inline: "FROM debian:bookworm\\nCMD [\\"true\\"]\\n"}
  debug:
    image: debug:1
    profiles: [debug]
"""


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is the current one. It has the environments dev and prod."""
    folder = tmp_path / "shop"
    (folder / "environments").mkdir(parents=True)
    (folder / "envctl.yaml").write_text(FULL)
    (folder / "page.html").write_text("hello\n")
    (folder / "site").mkdir()
    (folder / "site/index.html").write_text("hello\n")
    (folder / "pages").mkdir()
    (folder / "pages" / "about.html").write_text("about\n")
    (folder / "environments" / "dev.yaml").write_text("{}\n")
    (folder / "environments" / "prod.yaml").write_text(
        "services:\n"
        "  web:\n"
        "    replicas: 2\n"
        '    ports: ["8000", "9000"]\n'
        "    env: {LOG_LEVEL: warning}\n"
        "    volumes: {uploads: null}\n"
        "  worker: {volumes: {results: null}}\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder
