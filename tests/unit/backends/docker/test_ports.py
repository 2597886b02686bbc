"""Who is told to hold a port, and what chose it."""

from __future__ import annotations

from types import SimpleNamespace

from envctl.backends.docker import names as n
from envctl.backends.docker.ports import in_use
from envctl.errors import Place
from envctl.plan.model import Port
from tests.support.plans import unit

NOTE = "http_port is '8080', from ENVCTL_VAR_http_port"
AT = Place("envctl.yaml", 7, 13, NOTE)


def told(port, labels, origins=None, **more):
    one = {"Names": ["/some"], "Labels": labels, "Ports": [{"PublicPort": 8080}, {}]}
    web = unit("web", ports=(Port(443, 8443), Port(80, port)), origins=origins)
    return in_use(SimpleNamespace(containers=lambda: [one]), port, web, **more)


def test_a_container_of_envctl_is_reported_with_its_environment_and_folder(names, tmp_path):
    error = told(8080, {**names.labels, n.ROOT: str(tmp_path)})
    assert error.brief == (
        "cannot start web: port 8080 is already in use by the container some, "
        f"of the environment dev of shop in {tmp_path}"
    )
    assert error.hint.startswith(
        f"`envctl down dev` in {tmp_path} frees it; or `envctl up --free-ports` takes free ports"
    )


def test_a_container_whose_projects_folder_is_gone_is_reported_with_what_reaches_it(names):
    error = told(8080, names.labels)
    assert error.brief.endswith("in /srv/shop, which does not exist any more")
    assert error.hint.startswith("`envctl down dev@docker --id 0a1b2c3d` frees it; or `envctl up")


def test_another_container_is_reported_by_its_name():
    error = told(8080, {}, message="port is already allocated")
    assert error.brief.endswith("by the container some")
    assert "docker stop some" in error.hint
    assert error.details == ""


def test_what_is_no_container_is_reported_with_what_the_engine_says():
    error = told(81, {}, {"ports.1": AT}, message="address already in use\n")
    assert error.brief == "cannot start web: port 81 is already in use"
    assert error.details == f"{NOTE}\naddress already in use"
    assert error.hint == (
        "`lsof -i :81` shows which process uses it; or `envctl up --free-ports` takes free ports in this checkout;"
        " or give that variable another value"
    )


def test_the_place_is_the_one_that_chose_the_port_and_names_the_variable():
    other = Place("envctl.yaml", 6, 5)
    for origins in (
        {"ports": other, "ports.0": other, "ports.1": AT},
        {"ports": other, "ports.1": other, "ports.1.host": AT},
    ):
        error = told(8080, {}, origins)
        assert (error.where, error.details) == (AT, NOTE)
    assert told(8080, {}, {"ports": other}).where == other
    assert told(8080, {}).where == Place("envctl.yaml", 2, 3)
