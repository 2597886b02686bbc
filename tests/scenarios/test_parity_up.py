"""`parity --up` and what it writes, in containers."""

from __future__ import annotations

import json

import pytest

from tests.support.http import free_port

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_targets_that_are_not_there_are_up_for_as_long_as_it_takes(make_project, engine):
    project = make_project()
    project.spec(
        f"""
        web:
          command: [sleep, infinity]
          ports: ["{free_port()}:8000"]
          volumes: {{data: /data}}
        """,
        top="accept:\n  - {category: packages, key: never, reason: nothing}\n",
    )
    project.write("environments/prod.yaml", "services: {web: {env: {LEVEL: high}}}")
    project.up()
    before = project.ids()

    done = project.cli("parity", "dev", "prod", "--up", "--json", "--html", "report.html")

    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    (found,) = told["comparisons"]
    different = [one for one in found["findings"] if one["verdict"] != "equal"]
    assert [(one["category"], one["key"], one["after"]) for one in different] == [
        ("environment", "LEVEL", "high")
    ]
    assert [one["where"] for one in told["stale"]] == ["envctl.yaml:4:5"]
    assert "LEVEL" in (project.root / "report.html").read_text()
    # What was up is as it was; of what was brought up nothing is left.
    assert project.ids() == before
    label = {"label": f"dev.envctl.project={project.name}"}
    named = [one["Names"][0] for one in engine.api.containers(all=True, filters=label)]
    assert [name for name in named if "-prod_" in name] == []
    volumes = engine.api.volumes(filters=label)["Volumes"] or []
    assert [one["Name"].rpartition("_")[2] for one in volumes] == ["data"]


def test_a_target_that_does_not_come_up_is_taken_down_again(make_project, engine):
    project = make_project()
    project.spec("web: {command: [sleep, infinity]}")
    project.write("environments/prod.yaml", 'services: {web: {command: ["false"]}}')
    project.up()

    done = project.cli("parity", "dev", "prod", "--up")

    assert done.returncode == 1
    assert "web" in done.stderr
    label = {"label": f"dev.envctl.project={project.name}"}
    named = [one["Names"][0] for one in engine.api.containers(all=True, filters=label)]
    assert [name for name in named if "-prod_" in name] == []
