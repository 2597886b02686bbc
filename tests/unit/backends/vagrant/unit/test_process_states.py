"""What is told of a unit in a machine, from its init, its own record of how it ended, and the machine's stamp."""

from __future__ import annotations

import subprocess

import pytest

from envctl.backends.vagrant.machine import machine_stamp
from envctl.backends.vagrant.machine.domain import Domain, parse_domains
from envctl.backends.vagrant.observe import _not_running, _noted
from envctl.backends.vagrant.ssh.systemd_client import Service
from envctl.backends.vagrant.unit import exit_records
from envctl.backends.vagrant.unit.exit_records import ExitRecord
from envctl.backends.vagrant.unit.process_states import ProcessState, combine
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.digest import run_text
from envctl.plan.model import Kind, Run
from envctl.plan.state import Status

GONE = Service("not-found", "inactive", "dead")
FAILED = Service("loaded", "failed", "failed", 1, 3)
STARTED = ExitRecord(started=True)


def record(code=0, *, oom=False):
    return ExitRecord(started=True, text=f"success exited {code} 0 17", exit_code=code, oom=oom)


@pytest.mark.parametrize(
    ("service", "note", "ending", "expected"),
    [
        (Service("loaded", "active", "running"), {}, STARTED, ProcessState(Status.RUNNING)),
        # Its init has forgotten it: it ended well.
        (GONE, {}, record(0), ProcessState(Status.EXITED, 0)),
        (GONE, {}, STARTED, ProcessState(Status.CREATED)),
        (GONE, {}, ExitRecord(), ProcessState(Status.EXITED, cause="its machine was restarted")),
        (FAILED, {}, STARTED, ProcessState(Status.EXITED, 3)),
        (FAILED, {}, record(137, oom=True), ProcessState(Status.OOM_KILLED, 137)),
        (FAILED, {}, record(1, oom=True), ProcessState(Status.EXITED, 1, "a process in it was killed: out of memory")),
        (GONE, {"stopped": record(143).text}, record(143), ProcessState(Status.STOPPED, 143)),
        (GONE, {"stopped": ""}, ExitRecord(), ProcessState(Status.STOPPED)),
        # Somebody has started it since, inside, and it ended otherwise.
        (GONE, {"stopped": record(143).text}, record(7), ProcessState(Status.EXITED, 7)),
        (GONE, {"ended": 0}, ExitRecord(), ProcessState(Status.EXITED, 0)),
        (
            Service("loaded", "activating", "auto-restart", 1, 4, 2), {}, record(4, oom=True),
            ProcessState(Status.RESTARTING, 4, "a process in it was killed: out of memory", 2),
        ),
        (
            Service("loaded", "deactivating", "stop-post"), {}, STARTED,
            ProcessState(Status.UNKNOWN, cause="its process has just exited"),
        ),
    ],
)  # fmt: skip
def test_a_unit_in_a_machine_is_in_the_state_that_all_that_is_known_makes(
    service, note, ending, expected
):
    assert combine(note, service, ending) == expected


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """Records are kept in a folder of the test's."""
    monkeypatch.setattr(exit_records, "FOLDER", str(tmp_path / "ended"))
    monkeypatch.setattr(exit_records, "_STARTED", str(tmp_path / "started"))
    return UnitPaths("web")


def shell(script, **environ):
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "7"}, 7),
        ({"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "TERM"}, 143),
        # As after the start of a task, which has completed then.
        ({}, 0),
    ],
)
def test_how_a_process_ended_is_recorded_and_read_again(at_home, environ, code):
    assert exit_records.parse_records(shell(exit_records.query_script(["web"]))) == {
        "web": ExitRecord()
    }
    shell(exit_records.forget_script(at_home))
    assert exit_records.parse_records(shell(exit_records.query_script(["web"]))) == {
        "web": ExitRecord(started=True)
    }

    shell(exit_records.recording_script(at_home, lasting=True), **environ)

    found = exit_records.parse_records(shell(exit_records.query_script(["web", "other"])))
    assert (found["web"].exit_code, found["web"].oom, found["web"].started) == (code, False, True)
    assert found["other"] == ExitRecord()
    shell(exit_records.remove_script(at_home))
    assert exit_records.parse_records(shell(exit_records.query_script(["web"]))) == {
        "web": ExitRecord()
    }


def test_what_the_kernel_killed_for_memory_is_recorded(at_home, tmp_path, monkeypatch):
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    monkeypatch.setattr(UnitPaths, "processes", str(tmp_path / "cgroup.procs"))

    shell(exit_records.recording_script(at_home), EXIT_CODE="killed", EXIT_STATUS="KILL")

    assert exit_records.parse_records(shell(exit_records.query_script(["web"])))[
        "web"
    ].killed_for_memory


def domain(state, reason="", note=None):
    return Domain("d", "uuid", state, {"units": {"web": note or a_note()}}, reason)


def a_note(kind=Kind.SERVICE, **more):
    run = run_text(Run(kind=kind))
    return {"service": "web", "replica": 1, "build": "b", "run": run, "ports": {}, **more}


@pytest.mark.parametrize(
    ("machine", "status", "cause"),
    [
        (domain("paused", "user"), Status.PAUSED, "its machine is paused"),
        (domain("paused", "I/O error"), Status.PAUSED, "its machine is paused (I/O error)"),
        (domain("pmsuspended", "disk"), Status.PAUSED, "its machine is pmsuspended (disk)"),
        (domain("shut off", "destroyed"), Status.EXITED, "its machine is off"),
        (domain("shut off", "crashed"), Status.EXITED, "its machine has crashed"),
        (domain("crashed", "panicked"), Status.EXITED, "its machine has crashed"),
        (domain("in shutdown"), Status.UNREACHABLE, "its machine is in shutdown"),
        (domain("shut off", "", a_note(stopped="")), Status.STOPPED, ""),
        (domain("shut off", "", a_note(Kind.TASK)), Status.UNKNOWN, "its machine is off"),
        (domain("shut off", "", a_note(Kind.TASK, ended=0)), Status.EXITED, ""),
    ],
)
def test_a_unit_whose_machine_does_not_run_is_not_said_to_have_ended_by_itself(
    machine, status, cause
):
    note = machine.units["web"]
    found = _not_running(_noted("web", note, machine, {}), note, machine)
    assert (found.status, found.cause) == (status, cause)


def test_domains_are_described_with_their_states():
    one = "<domain type='qemu'{id}><name>{name}</name><uuid>u</uuid></domain>\n"
    text = (
        one.format(id=" id='1'", name="a")
        + "running (booted)\n\n"
        + one.format(id=" id='2'", name="b")
        + "paused (I/O error)\n"
        + one.format(id="", name="c")
        + "shut off (crashed)\n"
        + one.format(id=" id='3'", name="d")
        + "in shutdown (user)\n"
    )

    found = parse_domains(text)

    assert {name: (one.state, one.reason) for name, one in found.items()} == {
        "a": ("running", "booted"),
        "b": ("paused", "I/O error"),
        "c": ("shut off", "crashed"),
        "d": ("in shutdown", "user"),
    }
    assert [one.running for one in found.values()] == [True, False, False, False]
    assert found["b"].paused
    assert found["c"].off


def test_what_happened_is_forgotten_when_a_unit_is_started_again():
    stamp = {"made_for": "m", "units": {"web": a_note(hooks=["h"], stopped=""), "db": a_note()}}
    assert machine_stamp.without_events(stamp, "web") == {
        "made_for": "m",
        "units": {"web": a_note(), "db": a_note()},
    }
    assert machine_stamp.with_unit(stamp, "db", hooks=["x"])["units"]["db"]["hooks"] == ["x"]
