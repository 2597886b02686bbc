"""What a running machine is like beside its services."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field

import pytest

from envctl.backends.vagrant.machine import machine_health
from envctl.backends.vagrant.machine.domain import Domain
from envctl.errors import EnvctlError
from envctl.plan.model import Mount

pytestmark = pytest.mark.slow

HOSTS = {"10.1.1.2": ["db"], "10.1.1.3": ["web", "www"]}


@dataclass
class Machine:
    """Plays a machine: its clock is `ahead`, and each answer takes as long as `slow` says next."""

    unit: str = "web"
    ahead: float = 0.0
    slow: list[float] = field(default_factory=list)
    routes: int = 1
    mounts: str = ""
    hosts: str = "10.1.1.2 db # the database\n10.1.1.3 www web\n"
    sent: list[str] = field(default_factory=list)
    clock: str = ""

    def run(self, script: str, **_given: object) -> str:
        self.sent.append(script)
        delay = self.slow.pop(0) if self.slow else 0.0
        time.sleep(delay)
        clock = self.clock or f"{time.time() + self.ahead:.9f}"
        if script == "date +%s.%N":
            return f"{clock}\n"
        return f"{clock}\n{self.routes}\n{self.mounts}{self.hosts}"


def said(machine, mounts=()):
    found = machine_health.check(machine, mounts)
    return [one.text for one in machine_health.drift(found, mounts, HOSTS)]


def test_a_machine_as_it_was_made_has_no_drift():
    assert said(Machine()) == []
    assert said(Machine(ahead=1.9)) == []


@pytest.mark.parametrize(
    ("ahead", "text"),
    [(-240, "its clock is 240 s behind the host's"), (3.2, "its clock is 3 s ahead of the host's")],
)  # fmt: skip
def test_a_clock_that_is_off_is_reported(ahead, text):
    assert said(Machine(ahead=ahead)) == [text]


def test_the_time_that_an_answer_takes_is_not_taken_for_a_clock_that_is_off(monkeypatch):
    monkeypatch.setattr(machine_health, "TOLERANCE", 0.05)

    assert said(Machine(slow=[0.3] * 9)) == []
    # Asked again, it answers quickly enough to tell.
    assert said(Machine(slow=[0.3], ahead=0.15)) == ["its clock is 0 s ahead of the host's"]


def test_a_way_out_and_names_that_were_lost_are_reported():
    assert said(Machine(routes=0, hosts="10.1.1.2 db\n10.1.1.9 web www\n")) == [
        "it has no default route",
        "it cannot resolve web, www",
    ]


def test_a_folder_that_was_made_again_is_reported_by_its_number(tmp_path):
    mount = Mount(str(tmp_path), "/srv")
    number = tmp_path.stat().st_ino

    assert said(Machine(mounts=f"2 99 {number} 4096 1\n"), [mount]) == []
    (text,) = said(Machine(mounts=f"2 99 {number + 1} 4096 1\n"), [mount])
    assert text.startswith(f"{tmp_path} was replaced on this host")


def test_all_is_mended_in_place(tmp_path):
    mount = Mount(str(tmp_path), "/srv")
    found = machine_health.check(
        Machine(ahead=9, routes=0, hosts="", mounts="0 1 1 1 1\n"), [mount]
    )

    wrong = list(machine_health.drift(found, [mount], HOSTS))
    assert len(wrong) == 4
    assert all(one.in_place for one in wrong)


def test_a_clock_is_set_by_how_much_it_is_off():
    machine = Machine(ahead=-240.5)
    machine_health.repair(machine, machine_health.check(machine, ()), "10.1.1.1")

    (command,) = machine.sent[1:]
    moved = float(command.split("now ")[1].split()[0])
    assert moved == pytest.approx(240.5, abs=0.1)
    shift = subprocess.run(
        ["date", "-d", f"now {moved:+.6f} seconds", "+%s"], capture_output=True, check=True
    )
    assert int(shift.stdout) == pytest.approx(time.time() + 240.5, abs=3)


def test_only_what_is_wrong_is_mended():
    machine = Machine(routes=0)
    machine_health.repair(machine, machine_health.check(machine, ()), "10.1.1.1")

    assert machine.sent[1:] == ["/run/envctl/busybox ip route replace default via 10.1.1.1"]


@pytest.mark.parametrize("clock", ["date: not found", " "])
def test_a_machine_that_tells_no_time_is_an_error_that_names_it(clock):
    with pytest.raises(EnvctlError, match="web: cannot read its clock"):
        machine_health.check(Machine(clock=clock), ())


def test_the_script_tells_what_is_asked_in_any_shell(tmp_path):
    class Here(Machine):
        def run(self, script, **_given):
            done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)  # fmt: skip
            return done.stdout

    mounts = [Mount(str(tmp_path), str(tmp_path)), Mount("/etc", "/it's not there")]
    found = machine_health.check(Here(), mounts)

    assert abs(found.ahead) < 2
    assert found.mounts[str(tmp_path)].inode == tmp_path.stat().st_ino
    assert found.mounts["/it's not there"].is_unknown
    assert any("localhost" in names for names in found.names.values())


def test_names_in_a_machine_that_units_share_are_at_hand_without_a_network():
    def domain(name, address, *, shared=False, state="running"):
        units = {name: {"aliases": [name], "shared": shared}}
        return Domain(name, "1", state, {"address": address, "units": units})

    domains = [domain("a", "10.1.1.2", shared=True), domain("b", "10.1.1.3"), domain("c", "10.1.1.4", state="shut off")]  # fmt: skip
    known = machine_health.names_by_address(domains)

    assert known == {"10.1.1.2": ["a"], "10.1.1.3": ["b"]}
    assert machine_health.names_inside(domains[0], known) == {"127.0.0.1": ["a"], "10.1.1.3": ["b"]}
    assert machine_health.names_inside(domains[1], known) == known
