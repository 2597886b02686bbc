"""A probe is asked by one at a time, and no more often than the spec says."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from envctl.backends.common import probe_results
from envctl.backends.common.probe_results import NOT_ASKED, ProbeResults
from envctl.host.private_state import state_path
from envctl.plan.model import Probe, ProbeKind
from envctl.plan.scope import Scope

PROBE = Probe(ProbeKind.COMMAND, ("true",), interval=30, start_period=60, start_interval=2)


@pytest.fixture
def clock(monkeypatch):
    """The time, which passes only if it is told to."""
    now = [1_000_000.0]
    shown = SimpleNamespace(time=lambda: now[0], monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(probe_results, "time", shown)
    return now


@pytest.fixture
def kept(tmp_path):
    return ProbeResults(Scope("shop", "id", "dev", str(tmp_path)), "docker")


class Asked:
    """Answers as it is told to, and counts."""

    def __init__(self, healthy=True, said="fine"):
        self.answer = (healthy, said)
        self.times = 0

    def __call__(self):
        self.times += 1
        return self.answer


@pytest.mark.parametrize(
    ("healthy", "since_start", "pause"), [(True, 1, 30), (False, 1, 2), (False, 90, 30)]
)
def test_an_answer_counts_until_the_next_may_be_asked_for(kept, clock, healthy, since_start, pause):
    kept.begin("web")
    clock[0] += since_start
    first, second = Asked(healthy), Asked(not healthy)
    assert kept.ask("web", PROBE, first)[0] is healthy

    clock[0] += pause - 0.2
    assert kept.ask("web", PROBE, second) == first.answer
    clock[0] += 0.4
    assert kept.ask("web", PROBE, second) == second.answer
    assert (first.times, second.times) == (1, 1)


def test_another_command_is_told_the_same_and_another_unit_is_asked_for_itself(
    kept, clock, tmp_path
):
    kept.ask("web", PROBE, Asked(said="of web"))
    other = ProbeResults(Scope("shop", "id", "dev", str(tmp_path)), "docker")

    assert other.ask("web", PROBE, Asked(said="of another")) == (True, "of web")
    assert other.ask("db", PROBE, Asked(said="of db")) == (True, "of db")


def test_a_unit_that_was_started_again_is_asked_again(kept, clock):
    kept.ask("web", PROBE, Asked(said="before"))
    kept.begin("web", after="a mark")

    assert kept.last("web")["after"] == "a mark"
    assert kept.ask("web", PROBE, Asked(said="after")) == (True, "after")
    assert kept.last("web")["after"] == "a mark"


def test_where_nobody_may_ask_now_what_was_heard_last_is_reported(kept, clock):
    assert kept.ask("web", PROBE, lambda: None) == (False, NOT_ASKED)
    kept.ask("web", PROBE, Asked(said="once"))
    clock[0] += 100
    assert kept.ask("web", PROBE, lambda: None) == (True, "once")


def test_a_clock_that_was_set_back_makes_no_answer_last(kept, clock):
    kept.ask("web", PROBE, Asked(said="from the future"))
    clock[0] -= 1000

    assert kept.ask("web", PROBE, Asked(said="now")) == (True, "now")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"at": "x", "healthy": 1, "said": null}', b"\xff"]
)
def test_a_file_that_somebody_spoilt_is_as_none(kept, clock, tmp_path, text):
    kept.begin("web")
    (state_path(tmp_path, "probes") / "dev-docker-web.json").write_bytes(text)

    assert kept.ask("web", PROBE, Asked(said="now")) == (True, "now")


def test_where_nothing_can_be_kept_each_asks_for_itself(kept, clock, monkeypatch):
    def refuse(*_):
        raise OSError("read-only")

    monkeypatch.setattr(probe_results, "open_private", refuse)
    asked = Asked()
    assert kept.ask("web", PROBE, asked) == kept.ask("web", PROBE, asked) == (True, "fine")
    assert asked.times == 2


def test_what_asks_at_the_same_time_waits_and_is_told_what_was_heard(kept):
    busy = threading.Event()
    together = []

    def slow():
        assert not busy.is_set()
        busy.set()
        time.sleep(0.2)
        busy.clear()
        return True, "slow"

    threads = [
        threading.Thread(target=lambda: together.append(kept.ask("web", PROBE, slow)))
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert together == [(True, "slow")] * 4


def test_another_that_never_ends_asking_is_not_waited_for_for_ever(kept, monkeypatch):
    monkeypatch.setattr(probe_results, "_GRACE", 0.0)
    hurried = Probe(ProbeKind.COMMAND, ("true",), timeout=0.1)
    begun, release = threading.Event(), threading.Event()

    def stuck():
        begun.set()
        release.wait(10)
        return True, "late"

    thread = threading.Thread(target=kept.ask, args=("web", hurried, stuck))
    thread.start()
    assert begun.wait(10)
    try:
        assert kept.ask("web", hurried, Asked()) == (False, "another command is running its probe")
    finally:
        release.set()
        thread.join()
