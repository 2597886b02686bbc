"""Sessions with an engine: one without BuildKit, one that lets go of it, and the real one."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from envctl.backends.docker import build_image as builds
from envctl.backends.docker.buildcontext import Sender
from envctl.backends.docker.buildkit_session import BuildSession, NoSessionError
from envctl.backends.docker.endpoint import Endpoint
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.names import Names
from envctl.backends.docker.registries import Registries
from envctl.errors import EnvctlError
from envctl.plan.model import BuildSecret
from envctl.plan.scope import Scope
from envctl.progress import no_progress
from envctl.render.templates import Templates
from tests.conftest import remove_images
from tests.support.engines import VERSION, answer
from tests.support.engines import engine as played
from tests.support.plans import build, script
from tests.support.project import unique

SECRET = (BuildSecret("token"),)


def made(engine, tmp_path, name, *steps, secrets):
    return builds.build(
        build(*steps),
        "web",
        engine=engine,
        names=Names(Scope(name, "0a1b2c3d", "dev", str(tmp_path))),
        sender=Sender(tmp_path, Templates(None).render),
        report=no_progress,
        secrets=secrets,
    )


@pytest.fixture
def name(engine):
    name = unique()
    yield name
    remove_images(name)


@pytest.mark.parametrize("status", [404, 400, 500])
def test_an_engine_without_sessions_is_refused_secrets_and_told_what_it_lacks(tmp_path, status):
    def says(handler, path):
        data = {"message": "page not found"} if path == "/session" else VERSION
        answer(handler, data, status=status if path == "/session" else 200)

    with played(says) as endpoint:
        engine = Engine(endpoint)
        with pytest.raises(NoSessionError):
            BuildSession(engine.api, registries=Registries()).__enter__()
        with pytest.raises(EnvctlError) as caught:
            made(
                engine,
                tmp_path,
                "x",
                replace(script("x"), secrets=SECRET),
                secrets={"token": b"hush"},
            )
        engine.close()

    assert (
        caught.value.brief
        == "the engine cannot pass secrets to a build: it builds without BuildKit"
    )
    assert "20.10" in caught.value.hint
    assert str(caught.value.where) == "envctl.yaml:3:5"
    assert "hush" not in str(caught.value)


@pytest.mark.slow
def test_an_engine_that_says_nothing_after_it_took_the_connection_is_not_waited_for(
    monkeypatch, tmp_path
):
    monkeypatch.setattr("envctl.backends.docker.buildkit_session.TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            version = b'{"ApiVersion": "1.41"}'
            connection, _ = server.accept()
            connection.settimeout(20)
            with connection:
                while request := connection.recv(65536):
                    if b"/session" in request:
                        connection.sendall(
                            b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                        )
                        while connection.recv(65536):
                            pass  # until whoever asked hangs up
                        return
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(version), version)
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        engine = Engine(Endpoint(f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(EnvctlError, match="did not answer in time"):
            made(engine, tmp_path, "x", script("x"), secrets={})
        engine.close()
        thread.join()


@pytest.mark.engine
@pytest.mark.slow
def test_a_session_that_is_lost_fails_the_build_in_plain_words(engine, tmp_path, name, monkeypatch):
    class Cut(BuildSession):
        def __enter__(self):
            opened = super().__enter__()
            threading.Timer(2, self._socket.shutdown, [socket.SHUT_RDWR]).start()
            return opened

    monkeypatch.setattr(builds, "BuildSession", Cut)
    before = threading.active_count()
    steps = (
        script(f"sleep 6; echo {name}"),
        replace(script("cat /run/secrets/token"), secrets=SECRET),
    )
    began = time.monotonic()
    with pytest.raises(EnvctlError) as caught:
        made(Engine(), tmp_path, name, *steps, secrets={"token": b"hush"})

    assert "its connection to envctl was lost" in caught.value.brief
    assert "run the same command again" in caught.value.hint
    assert time.monotonic() - began < 60
    assert "hush" not in str(caught.value)
    while threading.active_count() > before and time.monotonic() - began < 90:
        time.sleep(0.1)


@pytest.mark.engine
@pytest.mark.slow
def test_nothing_of_a_session_is_left_when_its_build_is_over(engine, tmp_path, name):
    def sessions():
        return [one for one in threading.enumerate() if one.name == "grpc"]

    step = replace(script(f"sleep 4; echo {name}; test -s /run/secrets/token"), secrets=SECRET)
    own = Engine()
    assert made(own, tmp_path, name, step, secrets={"token": b"x" * 400_000}).startswith("sha256:")
    own.close()

    assert sessions() == []
