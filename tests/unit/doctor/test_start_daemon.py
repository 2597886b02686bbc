"""Starting a daemon and waiting for its answer, whichever daemon it is."""

from __future__ import annotations

import pytest

from envctl.doctor import start_daemon
from envctl.doctor.findings import DaemonState
from envctl.doctor.host import Outcome
from envctl.doctor.start_daemon import Daemon
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

SYSTEMD = {"run/systemd/system/x": ""}


@dataclass(frozen=True, slots=True)
class Answer:
    state: DaemonState
    error: str = ""


UP, DOWN = Answer(DaemonState.ANSWERS), Answer(DaemonState.ABSENT, "connection refused")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 60.0)
    monkeypatch.setattr(start_daemon, "_PAUSE", 0.001)


def daemon(*answers):
    """A daemon that gives these answers, and the last of them from then on."""
    remaining = list(answers)
    return Daemon(
        "the clock",
        "clock",
        "clockd",
        lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0],
    )


def never():
    raise AssertionError("it must not be started directly")


def stages(events):
    return [f"{event.work} {event.stage} {event.text}".strip() for event in events]


def test_a_daemon_that_answers_is_not_started(machine):
    host, events = machine(files=SYSTEMD), []
    daemon(UP).start(host, events.append, never)

    assert (host.ran, events) == ([], [])


def test_systemd_starts_it_where_it_runs(machine):
    host, events = machine(files=SYSTEMD), []
    daemon(DOWN, DOWN, UP).start(host, events.append, never)

    assert host.ran == [("systemctl", "enable", "--now", "clockd")]
    assert stages(events) == ["clock started", "clock done running"]


def test_without_systemd_it_is_started_directly(machine):
    host, events, calls = machine(), [], []
    daemon(DOWN).start(host, events.append, lambda: calls.append("start"))

    assert (host.ran, calls) == ([], ["start"])
    assert stages(events) == ["clock started", "clock done running"]


def test_a_start_that_fails_shows_the_output_the_journal_and_the_last_answer(machine, monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 0.05)
    outcomes = {"systemctl": Outcome(0, "started"), "journalctl": Outcome(0, "end of the journal")}
    host, events = machine(files=SYSTEMD, answers=lambda argv: outcomes[argv[0]]), []
    with pytest.raises(EnvctlError) as caught:
        daemon(DOWN).start(host, events.append, never)

    error = caught.value
    assert (error.brief, error.hint) == ("the clock does not start", "systemctl status clockd")
    assert error.details == "started\nend of the journal\nconnection refused"
    assert stages(events) == ["clock started", "clock failed"]


def test_a_service_that_does_not_start_is_not_waited_for(machine, monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 3600.0)
    host = machine(files=SYSTEMD, answers=lambda _argv: Outcome(1, "Job failed"))
    with pytest.raises(EnvctlError, match="does not start"):
        daemon(DOWN).start(host, lambda _event: None, never)


def test_an_error_of_a_direct_start_is_passed_on(machine):
    def fails():
        raise EnvctlError("clockd is not installed")

    events = []
    with pytest.raises(EnvctlError, match="not installed"):
        daemon(DOWN).start(machine(), events.append, fails)

    assert stages(events) == ["clock started", "clock failed"]


def test_a_daemon_that_has_exited_is_asked_once_more_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 3600.0)

    assert daemon(UP).wait(lambda: False) == UP
    assert daemon(DOWN).wait(lambda: False) == DOWN


def test_a_daemon_that_never_answers_is_waited_for_no_longer_than_patience(monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 0.05)
    assert daemon(DOWN).wait(lambda: True) == DOWN
