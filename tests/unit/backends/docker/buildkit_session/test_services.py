"""What a builder is answered, and what not."""

from __future__ import annotations

import base64
import json

import pytest

from envctl.backends.docker.buildkit_session.grpc import RefusedError, StatusCode
from envctl.backends.docker.buildkit_session.services import (
    CREDENTIALS,
    HEALTH,
    SECRET,
    BuildServices,
)
from envctl.backends.docker.protobuf import fields, message
from envctl.backends.docker.registries import Registries


@pytest.fixture
def answers(tmp_path, monkeypatch):
    auth = base64.b64encode(b"me:hush").decode()
    config = {"auths": {"registry.example:5000": {"auth": auth}, "other.example": {"auth": auth}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return BuildServices(Registries(), {"token": b"value", "empty": b""})


def ask(answers, method, asked):
    request = message([(1, asked.encode())])
    return dict(fields(answers.methods[method](request)))


def test_it_says_that_it_is_alive(answers):
    assert ask(answers, HEALTH, "") == {1: 1}


def test_credentials_are_given_for_the_registry_that_is_asked_for(answers):
    assert ask(answers, CREDENTIALS, "registry.example:5000") == {1: b"me", 2: b"hush"}
    assert answers.asked_registries == ["registry.example:5000"]


@pytest.mark.parametrize("host", ["registry.example", "evil.example", "", "registry.example:5001"])
def test_no_other_registry_gets_any(answers, host):
    assert ask(answers, CREDENTIALS, host) == {}


def test_a_secret_is_given_by_its_name_and_an_empty_one_too(answers):
    assert ask(answers, SECRET, "token") == {1: b"value"}
    assert ask(answers, SECRET, "empty") == {}


def test_a_secret_that_the_build_does_not_name_is_not_found(answers):
    with pytest.raises(RefusedError, match="no secret other") as caught:
        ask(answers, SECRET, "other")
    assert caught.value.status is StatusCode.NOT_FOUND


@pytest.mark.parametrize("garbage", [b"\x0a\x05abc", b"\x0b", b"\xff" * 11])
def test_what_is_no_message_is_refused(answers, garbage):
    for method in (CREDENTIALS, SECRET):
        with pytest.raises(RefusedError):
            answers.methods[method](garbage)
