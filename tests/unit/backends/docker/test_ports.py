"""Who is told to hold a port."""

from __future__ import annotations

from types import SimpleNamespace

from envctl.backends.docker.ports import in_use


def told(port, labels):
    one = {"Names": ["/some"], "Labels": labels, "Ports": [{"PublicPort": 8080}, {}]}
    return in_use(SimpleNamespace(containers=lambda: [one]), port, "web")


def test_a_container_of_envctl_is_told_with_its_environment_and_folder(names):
    error = told(8080, names.labels)
    assert error.brief == (
        "cannot start web: port 8080 is in use already by the container some, "
        "of the environment dev of shop in /srv/shop"
    )
    assert error.hint.startswith("`envctl down dev` in /srv/shop frees it; or write another port")


def test_another_container_is_told_by_its_name():
    error = told(8080, {})
    assert error.brief.endswith("by the container some")
    assert "docker stop some" in error.hint


def test_what_is_no_container_is_not_known():
    assert told(80, {}) is None
