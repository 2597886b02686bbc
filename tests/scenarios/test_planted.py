"""Differences planted in what runs, behind envctl's back or in the spec: all are found, called right, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import remove_images
from tests.support.inside import as_root
from tests.support.planting import Planting, needing, planted_project, specify
from tests.support.plants import ALL, OBEY, TOKEN, VOLATILE, Plant, batches
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

OLD, NEW = "processes *PORT*".replace("PORT", "8000"), "processes *PORT*".replace("PORT", "8001")
ACCOUNTS = ("files /etc/passwd*", "files /etc/group*", "files /etc/*shadow*", "files /etc/sub?id*")
SPEC: list[tuple[Plant, dict[str, object]]] = [
    (Plant("a variable changed", ("environment LOG_LEVEL",)), {"env": {"LOG_LEVEL": "debug"}}),
    (Plant("a variable that is gone", ("environment LOG_LEVEL",)), {"env": {"LOG_LEVEL": None}}),
    (Plant("an extra variable", ("environment EXTRA",)), {"env": {"EXTRA": ""}}),
    (Plant("another locale asked for", ("environment LANG",)), {"env": {"LANG": "de_DE.UTF-8"}}),
    (Plant("another time zone asked for", ("environment TZ", "locale time zone")), {"env": {"TZ": "Asia/Tokyo"}}),
    (Plant("another folder and port", ("process argv", "process directory", "sockets tcp 0.0.0.0:8000", "sockets tcp 0.0.0.0:8001", OLD, NEW)), {"workdir": "/opt", "command": ["perl", "-e", OBEY.replace("PORT", "8001")]}),
    (Plant("another user", ("environment HOME", "process uid", "process gid", "users app", "groups app", "files /home/app", "sockets tcp 0.0.0.0:8000", f"secrets {TOKEN}", *ACCOUNTS), also=(OLD, "process groups", "files /srv/web", "files /home/app/*")), {"user": "news"}),
    (Plant("less memory and processor", ("limits memory", "limits swap", "limits processors")), {"resources": {"memory": "64M", "cpus": 0.5}}),
    (Plant("a limit of files", ("limits open files",)), {"options": {"docker": {"ulimits": {"nofile": 99}}}}),
    (Plant("a capability", ("process capabilities at most",)), {"capabilities": ["NET_BIND_SERVICE"]}),
    (Plant("a secret that is not given", (f"secrets {TOKEN}", f"secrets {TOKEN} digest")), {"secrets": []}),
]  # fmt: skip


@pytest.fixture(
    params=["docker", pytest.param("vagrant", marks=[pytest.mark.machines, pytest.mark.long])]
)
def planting(request, make_project) -> Iterator[Planting]:
    """A unit that is up: in a container, or in a container and a machine."""
    if request.param == "vagrant":
        request.getfixturevalue("machines")
    yield (made := planted_project(make_project, request.param))
    if request.param == "vagrant":
        made.project.cli("down", "dev@docker", "--volumes")
        remove_images(made.project.name)


def test_every_planted_difference_is_found_and_nothing_else(planting):
    assert len(ALL) >= 60
    for backend in planting.before:
        for _ in range(2):
            planting.untouched(backend)
        planting.plant(backend, [VOLATILE])
        for batch in batches(ALL):
            planting.plant(backend, batch)
        # Undone, nothing of them is left to be found.
        planting.untouched(backend)
    assert planting.wrong == {}

    stop_other(planting.project)
    backend = planting.project.backend
    found = needing(planting.before[backend], planting.facts(backend))
    keys = {f"{one.category} {one.key}" for one in found}
    # Its name goes with a container, and stays in a machine's table of hosts.
    assert {"units other"} <= keys <= {"units other", "names other"}


def stop_other(project: Project) -> None:
    """Stop a service behind envctl's back."""
    if project.backend == "docker":
        from tests.support.docker_client import docker_client

        client = docker_client()
        client.api.stop(project.ids()["other"], timeout=1)
        client.close()
    else:
        as_root(project, "other", "systemctl stop envctl-other")


@pytest.mark.parametrize("backend", ["docker"])
def test_every_difference_of_the_spec_is_found_and_nothing_else(make_project, backend):
    planting = planted_project(make_project, backend)
    for plant, web in SPEC:
        specify(planting.project, **web)
        planting.project.up()
        planting.judge([plant], backend)
    assert planting.wrong == {}
