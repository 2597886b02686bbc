"""How a process ended, in words."""

from __future__ import annotations

import json

import pytest

from envctl.plan.exit_state import ended_with, exit_text, killed_text, memory_text, remedy
from envctl.plan.model import Resources
from envctl.plan.state import Status, UnitState
from tests.support.plans import made, unit


def ended(status=Status.EXITED, **known):
    return UnitState("web", "web", status, **known)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, ""),
        (0, "exit code 0"),
        (1, "exit code 1"),
        (128, "exit code 128"),
        (129, "exit code 129 (SIGHUP)"),
        (137, "exit code 137 (SIGKILL)"),
        (143, "exit code 143 (SIGTERM)"),
        (255, "exit code 255"),
    ],
)
def test_an_exit_code_is_reported_with_the_signal_that_it_stands_for(code, text):
    assert exit_text(code) == text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ended(exit_code=3), "exit code 3"),
        (ended(exit_code=126), "exit code 126: its command cannot be run"),
        (ended(exit_code=127, cause="no such file"), "exit code 127: its command was not found: no such file"),
        (ended(exit_code=0), "exit code 0"),
        (ended(), ""),
        (ended(cause="the engine lost it"), "the engine lost it"),
        (ended(Status.OOM_KILLED, exit_code=137), "killed for memory"),
        (ended(Status.OOM_KILLED, exit_code=127, cause="at night"), "killed for memory: at night"),
    ],
)  # fmt: skip
def test_with_what_and_why_it_ended_is_reported_as_far_as_it_is_known(state, text):
    assert ended_with(state) == text


def test_memory_that_ran_out_is_reported_with_the_limit_and_a_remedy():
    state = made(unit("web", resources=Resources(memory=64 << 20)), status=Status.OOM_KILLED)
    assert memory_text(state) == "limit 64 MiB"
    assert killed_text(state) == "killed for memory (limit 64 MiB)"
    assert remedy(state) == "raise `resources.memory` of the service"
    assert remedy(ended(exit_code=1)) == ""


@pytest.mark.parametrize(
    "run", ["", "{", "[]", "7", "{}", '{"resources": null}', '{"resources": {}}', json.dumps({"resources": {"memory": None}})]
)  # fmt: skip
def test_a_limit_that_nobody_recorded_is_not_told(run):
    assert memory_text(ended(run=run)) == ""
