"""The engine's errors in the user's terms."""

from __future__ import annotations

import pytest
from docker.errors import APIError, DockerException

from envctl.backends.docker import client
from envctl.backends.docker.client import Engine, conflict, missing, taken_port, translated
from envctl.backends.docker.endpoint import LOCAL, Endpoint
from envctl.errors import EnvctlError, Place

HERE = Endpoint(LOCAL)
AWAY = Endpoint("tcp://h:1", variable="DOCKER_HOST")


class Answer:
    """An HTTP answer, as far as errors look at it."""

    reason = "error"
    url = "http://engine/"

    def __init__(self, status: int) -> None:
        self.status_code = status


def api_error(text: str, status: int = 500) -> APIError:
    return APIError("error", response=Answer(status), explanation=text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "brief", "hint"),
    [
        (DockerException("FileNotFoundError(2, 'No such file')"), "the Docker engine at unix:///var/run/docker.sock does not answer", "envctl doctor --fix"),
        (DockerException("Connection refused"), "does not answer", "envctl doctor --fix"),
        (DockerException("PermissionError(13, 'Permission denied')"), "this user may not talk to the Docker engine", "usermod -aG docker"),
        (DockerException("Read timed out."), "cannot start web: the Docker engine did not answer in time", "docker info"),
        (api_error("write /x: no space left on device"), "the engine's disk is full", "docker system df"),
        (api_error("bind source path does not exist: /x"), "a mounted path is not on the engine's host", "this machine"),
        (api_error('exec: "x": executable file not found in $PATH'), "its command is not in the image", "check `command`"),
        (api_error("unable to find user web: no matching entries in passwd file"), "its user is not in the image", "check `user`"),
        (api_error("something else\nin two lines"), "cannot start web: something else", ""),
    ],
)  # fmt: skip
def test_what_goes_wrong_often_is_told_with_its_remedy(error, brief, hint):
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
    found = translated(DockerException("Connection refused"), "x", endpoint)
    assert hint in found.hint
    assert "doctor" not in found.hint


def test_an_address_that_is_none_is_told_with_those_there_are():
    engine = Engine(Endpoint("foo", variable="DOCKER_HOST"))
    with pytest.raises(EnvctlError, match="not an engine's address") as caught, engine.doing("x"):
        pass
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
    assert taken_port(api_error(f"driver failed: {text}")) == port


def test_an_answer_that_names_a_missing_file_is_no_missing_engine():
    found = translated(api_error("mount /x: No such file or directory"), "start web", HERE)
    assert found.brief.startswith("cannot start web")


def test_a_container_that_ended_meanwhile_is_told_without_its_number():
    found = translated(
        api_error(f"Container {'4f' * 32} is not running", 409), "run sh in web", HERE
    )
    assert found.brief == "cannot run sh in web: it has ended meanwhile"


def test_answers_are_told_apart_by_their_status():
    assert missing(api_error("", 404))
    assert conflict(api_error("", 409))
    assert not missing(DockerException("x"))


def test_an_engine_that_is_not_there_is_an_error_of_ours(monkeypatch):
    def refuse(_endpoint, _host):
        raise DockerException("Error: FileNotFoundError(2, 'No such file or directory')")

    monkeypatch.setattr(client, "_connect", refuse)
    with pytest.raises(EnvctlError, match="does not answer") as caught, Engine(HERE).doing("list"):
        pass
    assert isinstance(caught.value.__cause__, DockerException)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("UnixHTTPConnectionPool(host='localhost', port=None): Read timed out. (read timeout=60)", "no answer within 60 s"),
        ("HTTPConnectionPool(host='127.0.0.1', port=2375): Max retries exceeded with url: /version (Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused'))", "Connection refused"),
        ("HTTPSConnectionPool(host='no', port=2376): Max retries exceeded with url: /version (Caused by NameResolutionError(\"<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to resolve 'no' ([Errno -2] Name or service not known)\"))", "Name or service not known"),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))", "Remote end closed connection without response"),
        ("what an engine says: HTTP is spoken here", "what an engine says: HTTP is spoken here"),
    ],
)  # fmt: skip
def test_what_a_library_says_of_a_connection_is_told_without_its_classes(
    text: str, said: str
) -> None:
    error = translated(DockerException(text), "start web", HERE)
    assert said in f"{error.brief}\n{error.details}"
    assert "ConnectionPool" not in str(error)
    assert "object at" not in str(error)


def test_what_an_engine_says_is_told_once() -> None:
    error = translated(api_error("one thing\nand another"), "start web", HERE)
    assert str(error) == "cannot start web: one thing\nand another"
