"""Which engine: the one the docker command would talk to."""

from __future__ import annotations

import hashlib
import json

import pytest

from envctl.backends.docker.endpoint import LOCAL, Endpoint, find
from envctl.errors import EnvctlError


@pytest.fixture
def config(tmp_path):
    """A docker configuration with a context `away`."""
    identity = hashlib.sha256(b"away").hexdigest()
    meta = tmp_path / "contexts/meta" / identity
    meta.mkdir(parents=True)
    endpoint = {"Host": "ssh://box", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": endpoint}}))
    return tmp_path


def test_without_any_setting_it_is_the_local_one(tmp_path):
    assert find({"DOCKER_CONFIG": str(tmp_path)}) == Endpoint(LOCAL)


def test_docker_host_goes_before_the_context(config):
    environ = {"DOCKER_CONFIG": str(config), "DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "away"}
    assert find(environ) == Endpoint("tcp://h:1", None, verify=False, variable="DOCKER_HOST")


def test_tls_is_asked_for_by_the_usual_variables(config):
    environ = {
        "DOCKER_HOST": "tcp://h:1",
        "DOCKER_CERT_PATH": str(config),
        "DOCKER_TLS_VERIFY": "1",
    }
    assert find(environ) == Endpoint("tcp://h:1", config, verify=True, variable="DOCKER_HOST")


def test_the_context_in_use_is_taken(config):
    (config / "config.json").write_text('{"currentContext": "away"}')
    found = find({"DOCKER_CONFIG": str(config)})

    assert (found.host, str(found)) == ("ssh://box", "ssh://box (context away)")
    assert find({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "default"}).host == LOCAL


def test_a_contexts_certificates_are_found(config):
    folder = config / "contexts/tls" / hashlib.sha256(b"away").hexdigest() / "docker"
    folder.mkdir(parents=True)
    assert find({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "away"}).certificates == folder


def test_a_context_that_does_not_exist_is_reported(config):
    with pytest.raises(EnvctlError) as caught:
        find({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "gone"})
    assert caught.value.brief == "no such docker context: 'gone'"
    assert "docker context ls" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"currentContext": null}'])
def test_a_damaged_configuration_is_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert find({"DOCKER_CONFIG": str(tmp_path)}).host == LOCAL
