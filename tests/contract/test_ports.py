"""Ports of the host: chosen for a checkout and kept, and two checkouts of one project side by side."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from tests.contract.conftest import capabilities
from tests.support.project import Project
from tests.support.stage import Stage

OPEN = """
    web:
      command: [sleep, infinity]
      ports: ["8000"]
      env: {URL: "http://127.0.0.1:${port.web.8000}/"}
"""


def port_of_web(project: Project) -> int:
    rows = project.workspace().status(project.target)
    [address] = next(row.addresses for row in rows if row.unit == "web")
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    return int(port)


@pytest.fixture
def other(stage, tmp_path) -> Iterator[Stage]:
    """Another checkout of the stage's project, taken down afterwards."""
    project = Stage(tmp_path, stage.backend, stage.name)
    yield project
    project.down(volumes=True)


def test_an_open_port_is_the_same_when_its_unit_is_made_again(stage):
    stage.clear()
    stage.spec(OPEN).up()
    port = port_of_web(stage)
    if capabilities(stage.backend).executes:
        assert stage.run("web", "printenv", "URL")[1] == f"http://127.0.0.1:{port}/\n"
    assert stage.up() == []

    stage.clear()
    stage.spec(OPEN).up()

    assert port_of_web(stage) == port


def test_an_open_port_that_a_program_has_meanwhile_is_replaced(stage):
    stage.clear()
    stage.spec(OPEN).up()
    port = port_of_web(stage)
    stage.clear()

    with socket.create_server(("127.0.0.1", port)):
        stage.spec(OPEN).up()
        assert port_of_web(stage) != port
        # And that one is kept.
        assert stage.up() == []


@pytest.mark.executes
def test_a_port_of_the_spec_that_a_program_has_is_reported_with_the_program(stage):
    stage.clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stage.spec(f"web: {{command: [sleep, infinity], ports: ['{port}:8000']}}")
        with pytest.raises(EnvctlError) as refused:
            stage.up()
    message = refused.value.brief
    assert f"port {port} is already in use by " in message
    assert f"process {os.getpid()}, in {Path.cwd()}" in message
    assert "`envctl up --free-ports` takes free ports in this checkout" in refused.value.hint


@pytest.mark.executes
def test_two_checkouts_are_up_side_by_side(stage, other):
    with socket.create_server(("127.0.0.1", 0)) as server:
        fixed = server.getsockname()[1]
    services = f"""
        web: {{command: [sleep, infinity], ports: ["{fixed}:8000"]}}
        api: {{command: [sleep, infinity], ports: ["9000"]}}
    """
    stage.clear()
    stage.spec(services).up()
    before = stage.ids()

    with pytest.raises(EnvctlError) as refused:
        other.spec(services).up()
    assert f"port {fixed} is already in use by " in refused.value.brief
    assert f"in {stage.root}" in refused.value.brief
    assert f"in {stage.root} frees it" in refused.value.hint
    assert "--free-ports" in refused.value.hint
    other.workspace().up(other.target, free_ports=True)

    assert port_of_web(stage) == fixed
    rows = [*stage.workspace().status(stage.target), *other.workspace().status(other.target)]
    addresses = [address for row in rows for address in row.addresses]
    assert len(addresses) == 4
    assert len({*addresses}) == 4
    assert other.up() == stage.up() == []
    assert stage.ids() == before
