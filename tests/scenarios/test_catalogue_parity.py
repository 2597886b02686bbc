"""Each entry of the catalogue in a container and in a machine: nothing differs but what a machine brings along."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import envctl
from tests.conftest import remove_images
from tests.support.project import Project, ProjectMaker

GROUPS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "databases": {
        "postgresql": {"password": "password", "init": "db/*.sql", "conf": "db/postgresql.conf"},
        "mariadb": {"password": "password", "init": "db/*.sql", "conf": "db/mariadb.cnf"},
        "redis": {"password": "password", "memory": "32M"},
    },
    "web": {
        "nginx": {"root": "public", "upstream": "mail:1080", "conf": "nginx.conf"},
        "caddy": {"root": "public", "fallback": "/index.html"},
        "mail": {},
    },
    "others": {
        "memcached": {},
        "rabbitmq": {"password": "password", "conf": "rabbitmq.conf"},
        "cron": {"jobs": "jobs.yaml"},
    },
}
"""By group the entries, each with its parameters. Groups, as nine machines at once are too much for two processors."""
FILES: Mapping[str, str] = {
    "db/fruit.sql": "CREATE TABLE fruit (name text); INSERT INTO fruit VALUES ('fig');",
    "db/postgresql.conf": "max_connections = 42\n",
    "db/mariadb.cnf": "[mariadbd]\nmax-connections = 42\n",
    "public/index.html": "the front page",
    "nginx.conf": "location = /more { return 200 'more'; }\n",
    "rabbitmq.conf": "heartbeat = 42\n",
    "jobs.yaml": 'jobs:\n  - name: tick\n    command: echo tick\n    schedule: "@reboot"\n',
}
EVERY_UNIT_HAS = {"files", "limits", "packages", "process", "processes", "sockets"}
"""Categories of facts that no comparison of a unit can do without."""


def specify(project: Project, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a spec with a service of each entry, which has the entry's name."""
    services = {
        name: {"extends": f"catalogue/{name}", "with": dict(parameters)}
        for name, parameters in entries.items()
    }
    project.spec(
        yaml.safe_dump(services, sort_keys=False), top="secrets: {password: {generate: 24}}\n"
    )
    for path, text in FILES.items():
        project.write(path, text)


@pytest.fixture
def project(make_project: ProjectMaker) -> Iterator[Project]:
    """A project whose containers are gone afterwards as well as its machines."""
    made = make_project(backend="vagrant")
    yield made
    made.cli("down", "dev@docker", "--volumes")
    remove_images(made.name)


def test_no_entry_is_left_out() -> None:
    entries = {file.stem for file in Path(envctl.__file__).parent.glob("catalogue/*.yaml")}
    assert {name for entries_of_one in GROUPS.values() for name in entries_of_one} == entries


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_can_be_planned(make_project: ProjectMaker, group: str) -> None:
    simulated = make_project(backend="memory")
    specify(simulated, GROUPS[group])

    assert simulated.up()
    assert simulated.states() == dict.fromkeys(GROUPS[group], "running")


@pytest.mark.engine
@pytest.mark.machines
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_an_entry_is_the_same_in_containers_and_machines(
    machines: None, project: Project, group: str
) -> None:
    specify(project, GROUPS[group])

    done = project.cli("parity", "dev@docker", "dev@vagrant", "--up", "--json", timeout=3000)

    assert done.returncode in (0, 3), done.stderr
    (found,) = json.loads(done.stdout)["comparisons"]
    assert [finding for finding in found["findings"] if finding["verdict"] != "substrate"] == []
    for unit in GROUPS[group]:
        equal = {
            subject["category"]: subject["equal"]
            for subject in found["subjects"]
            if subject["unit"] == unit
        }
        assert {category for category in EVERY_UNIT_HAS if not equal.get(category)} == set(), equal
