"""Engines that answer slowly, never, or in another form: every call ends, with an error that says so."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envctl.backends.base import Context
from envctl.backends.docker import DockerBackend, engine_connection, engine_http, engine_requests
from envctl.backends.docker.answer_shapes import fit
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import AnswerError, NoAnswerError
from envctl.errors import EnvctlError
from envctl.plan.scope import Scope
from tests.support.engines import VERSION, answer, dribble, engine, freeze
from tests.support.examples import examples

pytestmark = pytest.mark.slow


@pytest.fixture
def little_time(monkeypatch):
    """Little time for every answer, for engines that give none."""
    monkeypatch.setattr(engine_requests, "USUAL", 0.4)
    monkeypatch.setattr(engine_connection, "LOOK", 0.15)
    monkeypatch.setattr(engine_requests, "_PING", 0.2)


@pytest.fixture
def backend(monkeypatch):
    """A backend on an engine that answers as it is told."""

    def made(endpoint):
        found = DockerBackend(Context(Scope("shop", "id", "dev", "/srv/shop")))
        found._engine._endpoint = endpoint
        return found

    return made


def only(path, says):
    """Answers one path in some way, and all else as an engine would."""

    def told(handler, asked):
        if asked == path:
            says(handler)
        else:
            answer(handler, VERSION if asked == "/version" else {})

    return told


@pytest.mark.usefixtures("little_time")
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("status", [200, 500])
def test_an_engine_that_sends_a_byte_now_and_then_is_not_waited_for_for_ever(head, status, backend):
    says = only("/containers/json", lambda one: dribble(one, head=head, status=status))
    before = time.monotonic()
    with engine(says) as endpoint, pytest.raises(EnvctlError, match="did not answer in time"):
        backend(endpoint).observe()
    assert time.monotonic() - before < 10


@pytest.mark.usefixtures("little_time")
def test_the_text_of_an_error_in_a_stream_has_a_time_too(backend):
    says = only("/images/create", lambda one: dribble(one, head=False, status=500))
    before = time.monotonic()
    with engine(says) as endpoint, pytest.raises(EnvctlError, match="pull web"):
        backend(endpoint).images.pull("web")
    assert time.monotonic() - before < 10


@pytest.mark.usefixtures("little_time")
def test_what_may_take_long_is_given_up_when_the_engine_is_not_alive_any_more():
    frozen = []

    def says(handler, asked):
        if asked == "/version" and not frozen:
            answer(handler, VERSION)
        else:
            frozen.append(True)
            freeze(handler)

    before = time.monotonic()
    with engine(says) as endpoint, pytest.raises(NoAnswerError, match="has stopped answering"):
        Engine(endpoint).api.wait("web", timeout=60)
    assert time.monotonic() - before < 20


def test_what_takes_long_is_waited_for_as_long_as_the_engine_is_alive(monkeypatch):
    monkeypatch.setattr(engine_connection, "LOOK", 0.15)

    def says(handler, asked):
        if asked.endswith("/wait"):
            time.sleep(0.7)
        known = {"/version": VERSION, "/containers/web/wait": {"StatusCode": 3}}
        answer(handler, known.get(asked, {}))

    with engine(says) as endpoint:
        one = Engine(endpoint)
        assert one.api.wait("web", timeout=60) == 3
        one.close()


@pytest.mark.usefixtures("little_time")
def test_an_engine_that_freezes_in_the_middle_of_a_pull_is_noticed(backend, monkeypatch):
    frozen = []

    def says(handler, asked):
        if frozen:
            freeze(handler)
        elif asked == "/images/create":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"status": "Pulling"}\n')
            handler.wfile.flush()
            frozen.append(True)
            freeze(handler)
        else:
            answer(handler, VERSION if asked == "/version" else {})

    before = time.monotonic()
    with engine(says) as endpoint, pytest.raises(EnvctlError, match="did not answer in time"):
        backend(endpoint).images.pull("web")
    assert time.monotonic() - before < 20


def test_an_engine_that_answers_without_end_fills_no_memory(backend, monkeypatch):
    monkeypatch.setattr(engine_http, "_LARGEST", 1000)
    with (
        engine({"/containers/json": [" " * 2000]}) as endpoint,
        pytest.raises(EnvctlError, match="sent an answer of more than"),
    ):
        backend(endpoint).observe()


@pytest.mark.parametrize(
    ("path", "data", "told"),
    [
        ("/containers/json", {"message": "no"}, "it is an object, not a list"),
        ("/containers/json", [[1]], "it has a list instead of an object"),
        ("/containers/json", [{"Id": "a"}], "an item has no State"),
        ("/containers/json", [{"Id": 5, "State": "running"}], "an item has 5 as Id"),
        ("/containers/json", b"<html>", "it is not JSON"),
        ("/volumes", [], "it is a list, not an object"),
        ("/volumes", {"Volumes": {"a": 1}}, "Volumes is an object, not a list"),
        ("/networks", None, "it is null, not a list"),
    ],
)
def test_an_answer_of_another_form_is_reported_as_that(backend, path, data, told):
    says = {"/containers/json": [], "/volumes": {"Volumes": []}, "/networks": [], path: data}
    with engine(says) as endpoint, pytest.raises(EnvctlError) as caught:
        backend(endpoint).observe()

    assert f"unexpected answer to GET /v1.41{path}: {told}" in caught.value.brief
    assert "docker version" in caught.value.hint


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (
            {"/version": {"ApiVersion": "1.41"}, "/info": {}},
            "does not report which containers it runs",
        ),
        ({"/version": {"ApiVersion": "1.41"}, "/info": []}, "it is a list, not an object"),
        ({"/version": {**VERSION, "Os": "windows"}}, "runs windows containers"),
    ],
)
def test_an_engine_that_does_not_say_what_it_runs_is_not_taken_for_one_of_another_kind(
    backend, says, told
):
    with engine(says) as endpoint, pytest.raises(EnvctlError) as caught:
        backend(endpoint).check()
    assert told in caught.value.brief
    assert "None" not in str(caught.value)


def test_an_engine_whose_info_fails_is_reported_in_its_own_words(backend):
    says = only("/info", lambda one: answer(one, {"message": "disk on fire"}, status=500))

    def told(handler, asked):
        return (
            answer(handler, {"ApiVersion": "1.41"}) if asked == "/version" else says(handler, asked)
        )

    with engine(told) as endpoint, pytest.raises(EnvctlError, match="disk on fire"):
        backend(endpoint).check()


def test_an_engine_that_says_in_info_what_it_runs_is_fine(backend):
    with engine({"/version": {"ApiVersion": "1.41"}, "/info": {"OSType": "linux"}}) as endpoint:
        backend(endpoint).check()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Id", "Names", "Labels", "State", "Volumes", "Name", "Ports", "Mounts"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
ASKED = ["/containers/json", "/volumes", "/networks", "/containers/a/json", "/info"]


@settings(max_examples=examples(200))
@given(JSON, st.sampled_from(ASKED))
def test_whatever_is_answered_fits_or_is_an_error_of_its_own(data, path):
    try:
        found = fit("GET", path, data)
    except AnswerError:
        return
    if path == "/containers/json":
        for one in found:
            assert isinstance(one["Id"] + one["State"], str)
            assert list(one["Names"] or []) == one["Names"]
            one["Labels"].get("x")


@pytest.mark.slow
@settings(
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(JSON, JSON, JSON)
def test_an_engine_of_nonsense_is_observed_or_told(backend, containers, volumes, networks):
    says = {"/containers/json": containers, "/volumes": volumes, "/networks": networks}
    with engine(says) as endpoint:
        found = backend(endpoint)
        for look in (found.observe, found.environments, found.everything):
            # Anything else it raises would be a traceback.
            with suppress(EnvctlError):
                look()
        found.close()


def test_a_client_that_is_closed_leaves_its_engine_alone():
    with engine({}) as endpoint:
        one = Engine(endpoint)
        with one.doing("look") as client:
            assert client.is_alive()
        one.close()
