"""What the doctor makes of engines that misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from envctl.backends.docker.doctor import engine_status as doctor
from envctl.doctor.findings import DaemonState
from tests.support.engines import VERSION, answer, dribble, engine


def looked_at(endpoint):
    return doctor.look({"DOCKER_HOST": endpoint.host})


@pytest.mark.parametrize(
    "says",
    [
        {"/version": []},
        {"/version": {"ApiVersion": "x"}},
        {"/version": VERSION, "/info": []},
        {"/version": {**VERSION, "Components": 5}},
        {"/version": b"<html>"},
    ],
)
def test_what_answers_in_another_form_is_not_an_engine(says):
    with engine(says) as endpoint:
        found = looked_at(endpoint)
    assert found.state is DaemonState.FAILS
    assert found.error


def test_an_engine_whose_info_fails_is_reported_in_its_own_words():
    def says(handler, asked):
        if asked == "/info":
            answer(handler, {"message": "disk on fire"}, status=500)
        else:
            answer(handler, VERSION)

    with engine(says) as endpoint:
        found = looked_at(endpoint)
    assert found.state is DaemonState.FAILS
    assert "disk on fire" in found.error


def test_an_engine_that_sends_a_byte_now_and_then_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(doctor, "_TOTAL", 0.5)
    before = time.monotonic()
    with engine(lambda handler, _: dribble(handler, head=True)) as endpoint:
        found = looked_at(endpoint)
    assert found.error == "it did not answer within 0.5 s"
    assert time.monotonic() - before < 10


def test_an_engine_that_is_well_is_reported_as_it_is():
    with engine({"/info": {"OSType": "linux", "Driver": "overlay2"}}) as endpoint:
        found = looked_at(endpoint)
    assert (found.state, found.version, found.storage) == (
        DaemonState.ANSWERS,
        "20.10.24",
        "overlay2",
    )


# --- engines elsewhere


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Have a program for ssh."""

    def play(text):
        (tmp_path / "ssh").write_text(text)
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return play


def test_what_ssh_says_is_reported_by_the_doctor_too(ssh):
    ssh("#!/bin/sh\necho 'Permission denied (publickey).' >&2; exit 255\n")
    found = doctor.look({"DOCKER_HOST": "ssh://box"})

    assert found.state is DaemonState.FAILS
    assert found.address == "ssh://box"
    assert found.error.endswith("at ssh://box: Permission denied (publickey).")


def test_the_context_that_other_commands_use_is_looked_at(tmp_path):
    name, endpoint = "far", {"Host": "tcp://127.0.0.1:1"}
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))

    assert doctor.look({"DOCKER_CONFIG": str(tmp_path)}).address == "tcp://127.0.0.1:1"
    gone = doctor.look({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert gone.state is DaemonState.FAILS
    assert gone.error == "no such docker context: 'gone'"
