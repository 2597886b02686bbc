"""The engine's errors in the user's terms."""

from __future__ import annotations

import socket

import pytest

from envctl.backends.docker.endpoint import LOCAL, Endpoint
from envctl.backends.docker.engine import Engine, taken_port, translated
from envctl.backends.docker.engine_errors import (
    ApiError,
    EngineConnectionError,
    NoAnswerError,
    NotFoundError,
    api_error,
    is_conflict,
)
from envctl.errors import EnvctlError, Place

HERE = Endpoint(LOCAL)
AWAY = Endpoint("tcp://h:1", variable="DOCKER_HOST")


def said(text: str, status: int = 500) -> ApiError:
    return api_error(status, text)


@pytest.mark.parametrize(
    ("error", "brief", "hint"),
    [
        (EngineConnectionError.because(FileNotFoundError(2, "No such file")), "the Docker engine at unix:///var/run/docker.sock does not answer", "envctl doctor --fix"),
        (EngineConnectionError.because(ConnectionRefusedError(111, "Connection refused")), "does not answer", "envctl doctor --fix"),
        (EngineConnectionError.because(PermissionError(13, "Permission denied")), "this user has no access to the Docker engine", "usermod -aG docker"),
        (NoAnswerError("no answer within 60 s"), "cannot start web: the Docker engine did not answer in time", "docker info"),
        (said("write /x: no space left on device"), "the engine's disk is full", "docker system df"),
        (said("bind source path does not exist: /x"), "a mounted path does not exist on the engine's host", "this machine"),
        (said('exec: "x": executable file not found in $PATH'), "its command is not in the image", "check `command`"),
        (said("unable to find user web: no matching entries in passwd file"), "its user is not in the image", "check `user`"),
        (said("something else\nin two lines"), "cannot start web: something else", ""),
    ],
)  # fmt: skip
def test_what_goes_wrong_often_is_reported_with_its_remedy(error, brief, hint):
    found = translated(error, "start web", HERE, Place("envctl.yaml", 1, 2))
    assert brief in found.brief
    assert hint in found.hint


@pytest.mark.parametrize(
    ("endpoint", "hint"),
    [
        (AWAY, "check DOCKER_HOST"),
        (Endpoint(LOCAL, variable="DOCKER_HOST"), "check DOCKER_HOST"),
        (Endpoint(LOCAL, context="mine"), "docker context ls"),
    ],
)
def test_an_engine_that_somebody_named_is_not_the_doctors(endpoint, hint):
    found = translated(EngineConnectionError("Connection refused"), "x", endpoint)
    assert hint in found.hint
    assert "doctor" not in found.hint


def test_an_address_that_is_none_is_reported_with_those_there_are():
    engine = Engine(Endpoint("foo", variable="DOCKER_HOST"))
    with (
        pytest.raises(EnvctlError, match="not a valid engine address") as caught,
        engine.doing("x") as api,
    ):
        api.containers()
    assert "ssh://USER@HOST: check DOCKER_HOST" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("Bind for 127.0.0.1:8080 failed: port is already allocated", 8080),
        ("Bind for :::8080 failed: port is already allocated", 8080),
        ("listen tcp4 0.0.0.0:80: bind: address already in use", 80),
        # As engines say it from 28 on.
        ("failed to bind host port 127.0.0.1:5432/tcp: address already in use", 5432),
        ("failed to bind host port for 0.0.0.0:81:172.31.0.2:8000/tcp: address already in use", 81),
        ("no such image", None),
    ],
)
def test_a_port_that_is_taken_is_known_whatever_the_engine_calls_it(text, port):
    assert taken_port(said(f"driver failed: {text}")) == port


def test_an_answer_that_names_a_missing_file_is_no_missing_engine():
    found = translated(said("mount /x: No such file or directory"), "start web", HERE)
    assert found.brief.startswith("cannot start web")


def test_a_container_that_ended_meanwhile_is_reported_without_its_number():
    found = translated(said(f"Container {'4f' * 32} is not running", 409), "run sh in web", HERE)
    assert found.brief == "cannot run sh in web: it has exited"


def test_answers_are_told_apart_by_their_status():
    assert isinstance(said("", 404), NotFoundError)
    assert is_conflict(said("", 409))
    assert not is_conflict(said("", 404))


def test_an_engine_that_does_not_exist_is_an_error_of_ours(tmp_path):
    absent = Engine(Endpoint(f"unix://{tmp_path}/none.sock"))
    with pytest.raises(EnvctlError, match="does not answer") as caught, absent.doing("list") as api:
        api.containers()
    assert caught.value.details == "No such file or directory"
    assert isinstance(caught.value.__cause__, EngineConnectionError)


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (NoAnswerError("no answer within 60 s"), "no answer within 60 s"),
        (EngineConnectionError.because(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (EngineConnectionError.because(socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
    ],
)  # fmt: skip
def test_what_the_system_says_of_a_connection_is_reported_without_numbers(error, details):
    assert translated(error, "start web", HERE).details == details


def test_what_an_engine_says_is_reported_once() -> None:
    error = translated(said("one thing\nand another"), "start web", HERE)
    assert str(error) == "cannot start web: one thing\nand another"
