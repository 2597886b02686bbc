"""The container of a one-off: all that its unit has, and nothing that others could take it for the unit by."""

from __future__ import annotations

from typing import Any

from envctl.backends.base import Execution
from envctl.backends.common.one_off_units import one_off_unit
from envctl.backends.docker import names as n
from envctl.backends.docker.containers import container
from envctl.backends.docker.names import Names
from envctl.backends.docker.one_off_containers import one_off_body
from envctl.plan.model import Process, Run, Unit
from tests.support.plans import SCOPE
from tests.unit.backends.docker.conftest import rich

NAMES = Names(SCOPE)


def body(unit: Unit, execution: Execution) -> Any:
    one_off = one_off_unit(unit, f"{unit.name}-run-1", execution)
    labels = NAMES.one_off_labels(unit.name)
    return one_off_body(container(one_off, NAMES), labels, execution)


def test_it_has_the_units_image_mounts_volumes_rights_and_limits() -> None:
    unit = rich()
    whole, one_off = container(unit, NAMES), body(unit, Execution(("ls",)))
    for key in ("Image", "User", "WorkingDir"):
        assert one_off[key] == whole[key]
    for key in ("Binds", "CapDrop", "CapAdd", "SecurityOpt", "NetworkMode", "Memory", "NanoCpus"):
        assert one_off["HostConfig"][key] == whole["HostConfig"][key]
    own = [mount for mount in whole["HostConfig"]["Mounts"] if "secrets" not in str(mount)]
    assert all(mount in one_off["HostConfig"]["Mounts"] for mount in own)


def test_nothing_takes_it_for_the_unit() -> None:
    one_off = body(rich(), Execution(("ls",)))
    assert one_off["Labels"][n.ONE_OFF] == rich().name
    assert not any(
        one_off["Labels"][key] for key in (n.UNIT, n.SERVICE, n.SECRETS_CONTAINER, n.RUN, n.BUILD)
    )
    assert (one_off["HostConfig"]["PortBindings"], one_off["ExposedPorts"]) == ({}, {})
    assert one_off["Healthcheck"] == {"Test": ["NONE"]}
    assert one_off["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert one_off["HostConfig"]["LogConfig"] == {"Type": "none"}
    (endpoint,) = one_off["NetworkingConfig"]["EndpointsConfig"].values()
    assert endpoint["Aliases"] == []


def test_its_secrets_are_in_a_volume_of_its_own() -> None:
    sources = {
        str(mount.get("Source")) for mount in body(rich(), Execution(()))["HostConfig"]["Mounts"]
    }
    assert NAMES.secrets(f"{rich().name}-run-1") in sources
    assert NAMES.secrets(rich().name) not in sources


def test_the_command_user_folder_and_variables_are_those_that_are_given() -> None:
    execution = Execution(("ls", "-l"), user="root", workdir="/tmp", env={"A": "mine"}, tty=True)
    unit = Unit(
        "web", "web", rich().source, Run(Process(("sleep",), "web", "/", {"A": "1", "B": "2"}))
    )
    one_off = body(unit, execution)
    assert (one_off["Cmd"], one_off["User"], one_off["WorkingDir"]) == (
        ["ls", "-l"],
        "root",
        "/tmp",
    )
    assert one_off["Env"] == ["A=mine", "B=2"]
    assert (one_off["Tty"], one_off["OpenStdin"], one_off["StdinOnce"]) == (True, True, True)


def test_without_a_command_it_runs_the_units_own() -> None:
    unit = Unit("web", "web", rich().source, Run(Process(("sleep", "1"))))
    one_off = body(unit, Execution(()))
    assert (one_off["Cmd"], one_off["OpenStdin"], one_off["Tty"]) == (["sleep", "1"], False, False)
