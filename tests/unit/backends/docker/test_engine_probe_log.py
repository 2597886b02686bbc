"""What the engine's own prober has heard, and when another asker has time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from envctl.backends.docker.engine_probe_log import (
    ProbeResult,
    knows_start_interval,
    last_mark,
    last_result,
    seconds_left,
)
from envctl.plan.model import Probe, ProbeKind

STARTED = "2026-11-30T10:00:00.123456789Z"
AT = datetime(2026, 11, 30, 10, 0, tzinfo=UTC).timestamp() + 0.123456


def state(*log, started=STARTED):
    return {"StartedAt": started, "Health": {"Status": "starting", "Log": list(log)}}


def entry(second, code=0, said="fine\n"):
    return {"Start": f"2026-11-30T10:00:{second}.5Z", "ExitCode": code, "Output": said}


def test_the_last_probe_since_the_start_counts():
    assert last_result(state(entry("05", 1, "bad"), entry("10"))) == ProbeResult(0, "fine")
    assert last_result(state(entry("05", 7, " why \n"))) == ProbeResult(7, "why")


def test_a_probe_whose_time_was_over_has_no_exit_code():
    late = entry("05", -1, "Health check exceeded timeout (3s)")
    assert last_result(state(late)) == ProbeResult(None, "Health check exceeded timeout (3s)")


@pytest.mark.parametrize(
    "of",
    [
        {},
        {"Health": None},
        state(),
        # Of the life before: the engine goes on remembering it.
        state(entry("05"), started="2026-11-30T10:00:06Z"),
        state({"Start": "no time", "ExitCode": 0}),
    ],
)
def test_without_a_probe_since_the_start_the_engine_has_not_said_anything(of):
    assert last_result(of) is None


def test_what_was_heard_before_a_container_was_paused_is_too_old():
    known = state(entry("05"))
    assert last_result(known, after=last_mark(known)) is None
    assert last_result(state(entry("05"), entry("10", 1)), after=last_mark(known)) == ProbeResult(
        1, "fine"
    )
    assert last_mark({}) == ""


PROBE = Probe(ProbeKind.COMMAND, ("true",), interval=5, start_period=30, start_interval=1)


@pytest.mark.parametrize(
    ("after", "soon", "left"),
    [
        (0.5, False, 3.5),
        (3.5, False, 0.5),
        # What could not end in time.
        (3.8, False, 0),
        (6, False, 0),
        # An engine that begins soon is left to it.
        (0.2, True, 0),
        # The engine's clock is another: nobody can tell.
        (-50, False, 0),
    ],
)
def test_there_is_room_until_the_engine_begins_to_ask(after, soon, left):
    found = seconds_left(PROBE, state(), since=None, starts_soon=soon, now=AT + after)
    assert found == pytest.approx(left, abs=1e-3)


def test_a_container_that_went_on_is_asked_an_interval_later():
    found = seconds_left(PROBE, state(), since=AT + 100, starts_soon=False, now=AT + 101)
    assert found == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize(
    ("api", "knows"), [("1.41", False), ("1.43", False), ("1.44", True), ("1.50", True)]
)
def test_engines_from_25_on_can_be_told_how_often_to_ask_at_first(api, knows):
    assert knows_start_interval(api) is knows
