"""describe, top, open, ssh-config, gc and events, on the memory backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from envctl.backends.base import Garbage
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs import garbage
from envctl.verbs.events import events
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow

SPEC = """\
project: shop
base: debian:bookworm
secrets: {token: {env: SHOP_TOKEN, generate: 12}}
services:
  web:
    command: [sleep, "1000"]
    ports: ["8443:443", "8080:80"]
    healthcheck: {http: "http://127.0.0.1/healthz"}
    secrets: [token]
    depends_on: [db]
  db: {command: [sleep, "1000"], volumes: {data: /data}, ports: ["5432:5432"]}
"""


@pytest.fixture
def up(envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-hunter2")
    (shop / "envctl.yaml").write_text(SPEC)
    (shop / "environments" / "test.yaml").write_text(
        "backend: memory\nservices: {web: {env: {A: b}}}\n"
    )
    assert envctl("up", "dev").code == 0
    return envctl


def test_an_environment_is_described_on_one_screen_without_values_of_secrets(up: Run) -> None:
    out = up("describe", "dev").out
    for text in (
        "dev@memory",
        "127.0.0.1:8080",
        "on debian:bookworm",
        "data",
        "variable SHOP_TOKEN, else generated",
        "1 difference: services.web.env.A",
    ):
        assert text in out
    assert "hunter2" not in out + up("describe", "dev", "--json").out
    assert len(out.splitlines()) < 24


def test_the_description_as_json_has_what_status_has_of_each_unit(up: Run) -> None:
    described = up("describe", "dev", "--json").json
    assert [unit["unit"] for unit in described["units"]] == ["db", "web"]
    assert described["volumes"] == [
        {"name": "data", "size": None, "exists": True, "services": ["db"]}
    ]
    assert described["secrets"][0]["services"] == ["web"]
    assert list(described["differences"]) == ["test"]


def test_what_is_not_up_is_described_too(envctl: Run, shop: Path) -> None:
    out = envctl("describe", "test").out
    assert "missing" in out
    assert "does not exist yet" in out


def test_the_url_that_the_health_check_speaks_to_is_opened(up: Run) -> None:
    assert up("open", "dev", "--print").out == "http://127.0.0.1:8080\n"
    assert up("open", "dev", "db", "--print").out == "http://127.0.0.1:5432\n"
    assert up("open", "dev", "web", "db", "--print").code == 2


@pytest.mark.parametrize("verb", ["top", "ssh-config", "pull"])
def test_a_verb_that_a_backend_has_not_got_is_named(up: Run, verb: str) -> None:
    ended = up(verb, "dev")
    assert ended.code == 1
    assert f"the memory backend does not support `envctl {verb}`" in ended.err


def test_what_the_projects_environments_are_made_of_is_needed(up: Run, shop: Path) -> None:
    needed = garbage.needed_by(Project(shop, environ={}))
    assert "debian:bookworm" in needed
    assert any(len(name) == 24 for name in needed)
    assert garbage.needed_by(None) == frozenset()


def test_nothing_is_removed_without_a_yes(up: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    thing = garbage.UnusedThing("memory", Garbage("image", "x", "1", 2000))
    removed: list[object] = []
    monkeypatch.setattr(garbage, "unused", lambda *_: ((thing,), ()))

    def remove(things: Sequence[garbage.UnusedThing], _report: object) -> Sequence[object]:
        removed.extend(things)
        return things

    monkeypatch.setattr(garbage, "remove", remove)
    assert "1 thing, 2.0 kB" in up("gc", "--dry-run").out
    ended = up("gc")
    assert (ended.code, "not confirmed" in ended.err, removed) == (1, True, [])
    assert "removed 1 thing" in up("gc", "--yes").out
    assert removed == [thing]


def test_a_spec_that_cannot_be_read_keeps_gc_from_removing(up: Run, shop: Path) -> None:
    (shop / "envctl.yaml").write_text("project: [\n")
    assert up("gc", "--yes").code == 1


def test_events_tell_of_what_happens_to_the_named_services(up: Run, shop: Path) -> None:
    actions = iter([lambda: up("stop", "dev"), lambda: up("up", "dev")])
    project = Project(shop, environ={"SHOP_TOKEN": "hunter2-hunter2"})

    def act(_seconds: float) -> None:
        next(actions)()

    stream = events(project, Target("dev"), ("web",), pause=act)
    assert [next(stream).event for _ in range(3)] == ["stopped", "started", "healthy"]
