"""What the doctor makes of engines that misbehave."""

from __future__ import annotations

import time

import pytest

from envctl.doctor import engine as doctor
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
def test_what_answers_in_another_form_is_no_engine(says):
    with engine(says) as endpoint:
        found = looked_at(endpoint)
    assert found.reach is doctor.Reach.FAILS
    assert found.error


def test_an_engine_whose_info_fails_is_told_in_its_own_words():
    def says(handler, asked):
        if asked == "/info":
            answer(handler, {"message": "disk on fire"}, status=500)
        else:
            answer(handler, VERSION)

    with engine(says) as endpoint:
        found = looked_at(endpoint)
    assert found.reach is doctor.Reach.FAILS
    assert "disk on fire" in found.error


def test_an_engine_that_sends_a_byte_now_and_then_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(doctor, "_TOTAL", 0.5)
    before = time.monotonic()
    with engine(lambda handler, _: dribble(handler, head=True)) as endpoint:
        found = looked_at(endpoint)
    assert found.error == "it did not answer within 0.5 s"
    assert time.monotonic() - before < 10


def test_an_engine_that_is_well_is_told_as_it_is():
    with engine({"/info": {"OSType": "linux", "Driver": "overlay2"}}) as endpoint:
        found = looked_at(endpoint)
    assert (found.reach, found.version, found.storage) == (
        doctor.Reach.ANSWERS,
        "20.10.24",
        "overlay2",
    )
