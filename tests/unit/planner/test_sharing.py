"""Environments that are looked at in one go share what they have in common, and come to what each comes to by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envctl import definition
from envctl.definition import yaml_reader
from envctl.errors import EnvctlError, SpecError
from envctl.plan.text import plan_text
from envctl.planner.make_plan import make_plan
from envctl.planner.planned_services import PlannedServices
from envctl.render.templates import render_text
from tests.unit.definition.helpers import write

BASE = """\
project: shop
base: debian:bookworm
vars: {port: 8080, name: shop, greeting: "${name} on ${port}"}
secrets: {token: {env: TOKEN}}
options: {docker: {init: true}}
services:
  web:
    command: [serve, "${greeting}", "$$HOME"]
    ports: ["${port}:80"]
    packages: [curl]
    depends_on: [db]
    secrets: [token]
    volumes: {data: /data}
    build:
      - copy: {from: app, to: /srv, owner: db}
      - template: {from: app/greeting.j2, to: /etc/greeting}
  shop: {extends: web, ports: null, packages: !append [git], env: {A: b}}
  db: {command: [store], healthcheck: {tcp: 5432}, options: {docker: {shm_size: 64m}}}
  job: {kind: task, command: [migrate], depends_on: [db]}
"""
TOP = (
    "",
    "base: debian:trixie\n",
    "base: {name: [wrong]}\n",
    "vars: {port: 9090}\n",
    "vars: {greeting: hello, name: null}\n",
    'vars: {name: "${missing}"}\n',
    "secrets: {token: {env: OTHER}}\n",
    "secrets: {token: null}\n",
    "options: {docker: {init: false}}\n",
)
SERVICES = (
    "  web: {env: {A: other}}\n",
    '  web: {env: {A: "${port}${name}"}}\n',
    "  web: null\n",
    "  web: {packages: !prepend [vim], commnad: [typo]}\n",
    "  db: {user: store}\n",
    "  db: {healthcheck: null}\n",
    "  db: {kind: task, healthcheck: null}\n",
    "  shop: {extends: db, env: {C: d}}\n",
    "  shop: {extends: nothing}\n",
    "  job: {ports: [8080:80]}\n",
    "  job: {mounts: {./app: /mnt, ./missing: /other}}\n",
    "  job: {depends_on: [{wrong: form}], command: null}\n",
    "  other: {command: [more], depends_on: {db: healthy, job: completed}}\n",
    "  other: {image: 'redis:7', build: [{run: make}]}\n",
)


@st.composite
def overlays(draw: st.DrawFn) -> str:
    """An overlay of some changes, of which some are mistakes."""
    services = draw(st.lists(st.sampled_from(SERVICES), max_size=2, unique=True))
    head = "services:\n" if services else ""
    return draw(st.sampled_from(TOP)) + head + "".join(services)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sharing")
    (root / "app").mkdir()
    (root / "app" / "greeting.j2").write_text("{{ greeting }} {{ port }}\n")
    return root


def outcome(root: Path, environment: str, shared: PlannedServices | None) -> object:
    """All that an environment comes to: its data, its places and its plan, or its problems."""
    try:
        resolved = definition.load(root, environment, environ={}, cache=False)
    except SpecError as error:
        return error.problems
    except EnvctlError as error:
        return str(error)
    try:
        plan = make_plan(resolved, backend="docker", render_text=render_text, shared=shared)
    except SpecError as error:
        return resolved.data, dict(resolved.origins), error.problems
    return resolved.data, dict(resolved.origins), plan_text(plan), plan


def outcomes(root: Path, names: Mapping[str, str], *, together: bool) -> Mapping[str, object]:
    """What each environment comes to, with the others or with nothing remembered of them."""
    shared = PlannedServices() if together else None
    found = {}
    for name in names:
        if not together:
            yaml_reader._parsed.cache_clear()
        found[name] = outcome(root, name, shared)
    return found


@pytest.mark.slow
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(changes=st.lists(overlays(), min_size=2, max_size=5))
def test_environments_come_to_the_same_together_and_each_by_itself(
    project: Path, changes: list[str]
) -> None:
    names = {f"e{number}": text for number, text in enumerate(changes)}
    write(project, BASE, **names)
    alone = outcomes(project, names, together=False)
    assert outcomes(project, names, together=True) == alone
    backwards = dict(reversed(names.items()))
    assert outcomes(project, backwards, together=True) == alone


def test_what_differs_is_planned_and_what_does_not_is_shared(project: Path) -> None:
    names = {"e0": "services: {db: {env: {A: b}}}\n", "e1": "services: {db: {env: {A: c}}}\n"}
    write(project, BASE, **names)
    shared = PlannedServices()
    plans = [
        make_plan(
            definition.load(project, name, environ={}, cache=False),
            backend="docker",
            render_text=render_text,
            shared=shared,
        )
        for name in names
    ]
    first, second = ({unit.name: unit for unit in plan.units} for plan in plans)
    for name in ("web", "shop", "job"):
        assert first[name].source is second[name].source
    assert first["db"].run.process.env != second["db"].run.process.env
