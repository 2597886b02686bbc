"""Starting libvirt by systemd and by hand, and giving machines access to the processor."""

from __future__ import annotations

import pytest

from envctl.backends.vagrant.doctor import kvm, libvirt_daemon
from envctl.doctor import start_daemon
from envctl.doctor.host import Outcome
from envctl.errors import EnvctlError
from tests.support.fake_host import NO_LIBVIRT, VIRSH


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 60.0)
    monkeypatch.setattr(start_daemon, "_PAUSE", 0.01)


PIDS = {"virtlogd": 71, "libvirtd": 72}


class Daemons:
    """A machine's daemons: which live, and after how many questions libvirtd answers."""

    def __init__(self, root, *, after=0, fails="", dies=False):
        self.root = root
        self.after = after
        self.fails = fails
        self.dies = dies
        self.up = False

    def write(self, path, text, how="w"):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open(how) as stream:
            stream.write(text)

    def lives(self, name, comm=None):
        self.write(f"run/{name}.pid", f"{PIDS[name]}\n")
        self.write(f"proc/{PIDS[name]}/comm", f"{comm or name}\n")

    def __call__(self, argv):
        match argv:
            case (program, "-d"):
                name = program.rpartition("/")[2]
                if self.fails and name == "libvirtd":
                    self.write("var/log/libvirt/libvirtd.log", f"{self.fails}\n", "a")
                    return Outcome(1, "libvirtd: initialisation failed\n")
                self.up = self.up or name == "libvirtd"
                if not self.dies:
                    self.lives(name)
            case (_, "-c", *_):
                self.after -= self.up
                return Outcome(0, VIRSH) if self.up and self.after < 0 else Outcome(1, NO_LIBVIRT)
        return Outcome(0, "")


PROGRAMS = ("virsh", "virtlogd", "libvirtd")


def started(host):
    """What was started, without the questions."""
    return [" ".join(argv) for argv in host.ran if "-c" not in argv]


def test_a_libvirt_that_answers_is_left_alone(machine, tmp_path):
    daemons = Daemons(tmp_path)
    daemons.up = True
    host = machine(*PROGRAMS, answers=daemons)
    events = []
    libvirt_daemon.start(host, events.append)

    assert (started(host), events) == ([], [])


def test_by_hand_both_daemons_are_started_and_the_answer_awaited(machine, tmp_path):
    host = machine(*PROGRAMS, answers=Daemons(tmp_path, after=3))
    events = []
    libvirt_daemon.start(host, events.append)

    assert started(host) == ["/usr/bin/virtlogd -d", "/usr/bin/libvirtd -d"]
    assert (tmp_path / "run/libvirt").is_dir()
    assert [f"{event.stage} {event.text}".strip() for event in events] == [
        "started",
        "done running",
    ]


def test_what_runs_already_is_not_started_again(machine, tmp_path):
    daemons = Daemons(tmp_path)
    daemons.lives("virtlogd")
    host = machine(*PROGRAMS, answers=daemons)
    libvirt_daemon.start(host, lambda _event: None)

    assert started(host) == ["/usr/bin/libvirtd -d"]


@pytest.mark.parametrize("comm", ["bash", None])
def test_a_pid_file_that_a_killed_daemon_left_hinders_nobody(machine, tmp_path, comm):
    daemons = Daemons(tmp_path)
    for name in libvirt_daemon.DAEMONS:
        daemons.lives(name, comm)
        if comm is None:
            (tmp_path / f"proc/{PIDS[name]}/comm").unlink()
    host = machine(*PROGRAMS, answers=daemons)
    libvirt_daemon.start(host, lambda _event: None)

    assert started(host) == ["/usr/bin/virtlogd -d", "/usr/bin/libvirtd -d"]


def test_a_daemon_that_was_about_to_end_makes_way_for_another(machine, tmp_path):
    daemons = Daemons(tmp_path)
    daemons.lives("libvirtd")

    def answers(argv):
        if "-c" in argv and len(host.ran) == 4:
            (tmp_path / "run/libvirtd.pid").unlink(missing_ok=True)
        return daemons(argv)

    host = machine(*PROGRAMS, answers=answers)
    libvirt_daemon.start(host, lambda _event: None)

    assert started(host) == ["/usr/bin/virtlogd -d", "/usr/bin/libvirtd -d"]


def test_a_daemon_that_fails_is_reported_with_the_end_of_this_runs_logs_only(machine, tmp_path):
    daemons = Daemons(tmp_path, fails="error : no user libvirt-qemu")
    daemons.write("var/log/libvirt/libvirtd.log", "error : long ago\n")
    host = machine(*PROGRAMS, answers=daemons)
    events = []
    with pytest.raises(EnvctlError) as caught:
        libvirt_daemon.start(host, events.append)

    assert caught.value.brief == "libvirt does not start"
    assert caught.value.details.splitlines()[:3] == [
        "libvirtd: initialisation failed",
        "error : no user libvirt-qemu",
        "libvirtd has exited",
    ]
    assert caught.value.hint == f"its complete logs are in {tmp_path}/var/log/libvirt"
    assert [str(event.stage) for event in events] == ["started", "failed"]


def test_a_daemon_that_ends_later_is_not_waited_for(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 3600.0)
    host = machine(*PROGRAMS, answers=Daemons(tmp_path, after=99, dies=True))
    with pytest.raises(EnvctlError, match="does not start"):
        libvirt_daemon.start(host, lambda _event: None)


def test_a_daemon_that_never_answers_is_waited_for_no_longer_than_patience(
    machine, tmp_path, monkeypatch
):
    monkeypatch.setattr(start_daemon, "PATIENCE", 0.2)
    host = machine(*PROGRAMS, answers=Daemons(tmp_path, after=10**9))
    with pytest.raises(EnvctlError) as caught:
        libvirt_daemon.start(host, lambda _event: None)

    assert "has exited" not in caught.value.details
    assert caught.value.details.endswith("No such file or directory")


def test_without_the_daemons_the_package_is_named(machine):
    with pytest.raises(EnvctlError) as caught:
        libvirt_daemon.start(machine("libvirtd"), lambda _event: None)

    assert caught.value.hint == "`envctl doctor --backend vagrant` shows how to install it"


def test_where_systemd_runs_it_starts_them(machine):
    up = []

    def answers(argv):
        if argv[0] == "systemctl":
            up.append(argv)
        return Outcome(0, VIRSH if up else NO_LIBVIRT)

    host = machine(*PROGRAMS, files={"run/systemd/system/x": ""}, answers=answers)
    libvirt_daemon.start(host, lambda _event: None)

    assert started(host) == ["systemctl enable --now libvirtd"]


def test_by_systemd_a_failure_is_reported_with_its_journal(machine):
    said = {"systemctl": Outcome(1, "Job failed"), "journalctl": Outcome(0, "the journal's end")}
    host = machine(
        *PROGRAMS,
        files={"run/systemd/system/x": ""},
        answers=lambda argv: said.get(argv[0], Outcome(1, NO_LIBVIRT)),
    )
    with pytest.raises(EnvctlError) as caught:
        libvirt_daemon.start(host, lambda _event: None)

    assert caught.value.details == "Job failed\nthe journal's end"
    assert caught.value.hint == "systemctl status libvirtd"


def test_access_that_cannot_be_given_is_reported_and_stops_nothing(machine):
    host = machine(answers=lambda _argv: Outcome(1, "chgrp: Operation not permitted\n"))
    events = []
    kvm.give_access(host, events.append)

    assert host.ran == [("chgrp", "kvm", "/dev/kvm")]
    assert [f"{event.stage} {event.text}".strip() for event in events] == [
        "started",
        "failed chgrp: Operation not permitted",
    ]
