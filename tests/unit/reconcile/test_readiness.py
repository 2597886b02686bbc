"""Verdicts on units that are waited for."""

from __future__ import annotations

import pytest

from envctl.plan.model import Probe, ProbeKind, Resources
from envctl.plan.state import Health, Status
from envctl.reconcile.readiness import Readiness, allowance, judge
from tests.support.plans import made, unit

PROBE = Probe(ProbeKind.TCP, ("127.0.0.1", "80"), interval=2, retries=3, start_period=10)
PLAIN = unit("web")
PROBED = unit("web", probe=PROBE)
TASK = unit("job", kind="task")


def verdict(unit, waited=0.0, **state):
    return judge(unit, made(unit, **state), waited=waited)


def test_a_running_service_without_a_probe_is_ready():
    assert verdict(PLAIN) == (Readiness.READY, "running")


def test_a_service_with_a_probe_is_probed():
    assert verdict(PROBED, health=Health.STARTING)[0] is Readiness.PROBE


def test_a_unit_that_its_engine_calls_healthy_is_not_asked_again():
    assert verdict(PROBED, health=Health.HEALTHY) == (Readiness.READY, "healthy")


def test_an_exited_service_has_failed_at_once():
    assert verdict(PLAIN, status=Status.EXITED, exit_code=7) == (
        Readiness.FAILED,
        "it exited with exit code 7",
    )


def test_what_is_not_known_of_an_end_is_not_told_and_its_cause_is():
    gone = {"status": Status.EXITED, "exit_code": None}
    assert verdict(PLAIN, **gone)[1] == "it exited"
    assert verdict(PLAIN, **gone, cause="its secrets went")[1] == "it exited: its secrets went"
    assert verdict(TASK, **gone, cause="no memory")[1] == "the task ended: no memory"


def test_a_crash_loop_has_failed():
    text = verdict(PLAIN, status=Status.RESTARTING, restarts=3, exit_code=1)[1]

    assert text == "it keeps exiting and being restarted (exit code 1)"


def test_a_unit_that_vanished_has_failed():
    assert judge(PLAIN, None, waited=0) == (Readiness.FAILED, "it is gone")


def test_a_unit_that_never_runs_is_not_waited_for_for_ever():
    assert verdict(PLAIN, status=Status.CREATED)[0] is Readiness.WAIT
    assert verdict(PLAIN, status=Status.CREATED, waited=1e4)[0] is Readiness.FAILED


@pytest.mark.parametrize(
    ("state", "waited", "expected"),
    [
        ({"exit_code": 0}, 0, Readiness.READY),
        ({"exit_code": 4}, 0, Readiness.FAILED),
        ({"status": Status.RUNNING}, 60, Readiness.WAIT),
        ({"status": Status.RUNNING}, 4000, Readiness.FAILED),
    ],
)
def test_a_task_is_ready_when_it_completed(state, waited, expected):
    assert verdict(TASK, waited=waited, **state)[0] is expected


def test_a_unit_has_its_start_period_and_its_retries():
    assert allowance(PROBE) == 16


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"status": Status.EXITED, "exit_code": 143}, "it exited with exit code 143 (SIGTERM)"),
        ({"status": Status.EXITED, "exit_code": 127}, "it exited with exit code 127: its command was not found"),
        ({"status": Status.OOM_KILLED, "exit_code": 137}, "it was killed for memory (limit 64 MiB)"),
        ({"status": Status.STOPPED, "exit_code": 143}, "it was stopped"),
    ],
)  # fmt: skip
def test_how_a_process_ended_is_reported_by_name(state, text):
    limited = unit("web", resources=Resources(memory=64 << 20))

    assert judge(limited, made(limited, **state), waited=0) == (Readiness.FAILED, text)


@pytest.mark.parametrize(
    "state",
    [
        {"status": Status.UNREACHABLE, "cause": "no answer"},
        {"status": Status.UNKNOWN},
        {"status": Status.STARTING},
        {"defect": "port 80 is not forwarded"},
    ],
)
def test_what_nobody_can_tell_is_waited_for_and_not_said_to_have_ended(state):
    there = made(PLAIN, **state)

    assert judge(PLAIN, there, waited=0)[0] is Readiness.WAIT
    assert judge(PLAIN, there, waited=100)[0] is Readiness.FAILED


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        ({"status": Status.STARTING, "cause": "no lease yet"}, "it is still starting: no lease yet"),
        ({"status": Status.RUNNING, "defect": "port 80 is not forwarded"}, "port 80 is not forwarded"),
        ({"status": Status.PAUSED, "defect": "port 80 is not forwarded"}, "port 80 is not forwarded"),
    ],
)  # fmt: skip
def test_a_unit_has_until_its_own_probes_last_retry_to_be_there(state, stands):
    there = made(PROBED, **state)

    assert judge(PROBED, there, waited=16) == (Readiness.WAIT, stands)
    assert judge(PROBED, there, waited=16.1) == (Readiness.FAILED, f"after 16 s {stands}")


def test_without_a_probe_it_is_waited_for_as_long_as_a_default_probe_has():
    allowed = allowance(Probe(ProbeKind.COMMAND, ()))

    assert verdict(PLAIN, status=Status.CREATED, waited=allowed)[0] is Readiness.WAIT
    assert verdict(PLAIN, status=Status.CREATED, waited=allowed + 1)[0] is Readiness.FAILED


def test_a_process_that_a_busy_machine_starts_late_has_more_than_a_short_probe_allows():
    allowed = allowance(Probe(ProbeKind.COMMAND, ()))
    hasty = unit("web", probe=Probe(ProbeKind.COMMAND, ("true",), interval=0.2, retries=2))
    patient = unit("web", probe=Probe(ProbeKind.COMMAND, ("true",), start_period=allowed + 60))

    assert verdict(hasty, status=Status.CREATED, waited=allowed)[0] is Readiness.WAIT
    assert verdict(hasty, status=Status.CREATED, waited=allowed + 1) == (
        Readiness.FAILED,
        f"after {allowed:g} s it is still created",
    )
    assert verdict(patient, status=Status.CREATED, waited=allowed + 59)[0] is Readiness.WAIT


@pytest.mark.parametrize("health", [one for one in Health if one is not Health.HEALTHY])
def test_only_health_makes_a_probed_unit_ready_and_its_engine_has_no_other_say(health):
    assert verdict(PROBED, health=health) == (Readiness.PROBE, "running")


@pytest.mark.parametrize(("restarts", "expected"), [(2, Readiness.WAIT), (3, Readiness.FAILED)])
def test_the_third_restart_is_one_too_many(restarts, expected):
    assert verdict(PLAIN, status=Status.RESTARTING, restarts=restarts)[0] is expected


@pytest.mark.parametrize(
    ("state", "waited", "expected"),
    [
        ({"exit_code": 0}, 0, (Readiness.READY, "completed")),
        ({"exit_code": None}, 0, (Readiness.FAILED, "the task ended")),
        ({"exit_code": 0, "status": Status.STOPPED}, 0, (Readiness.FAILED, "the task was stopped")),
        ({"status": Status.RUNNING}, 3600, (Readiness.WAIT, "running")),
        (
            {"status": Status.RUNNING},
            3601,
            (Readiness.FAILED, "the task did not end within 3600 s"),
        ),
    ],
)
def test_a_task_has_an_hour_and_has_to_end_by_itself(state, waited, expected):
    assert verdict(TASK, waited=waited, **state) == expected
