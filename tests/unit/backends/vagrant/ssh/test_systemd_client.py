"""The conversation with a machine's init, with one that speaks as systemd does."""

from __future__ import annotations

import socket
from threading import Thread

import pytest
from jeepney import Parser, new_error, new_method_return

from envctl.backends.vagrant.ssh import ssh_machine
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.ssh.systemd_client import Service, SystemdClient
from envctl.errors import EnvctlError
from envctl.plan.state import Status

PATH = "/org/freedesktop/systemd1/unit/envctl_2dweb_2eservice"
PROPERTIES = {"MainPID": ("u", 42), "ExecMainCode": ("i", 1), "ExecMainStatus": ("i", 3), "NRestarts": ("u", 7)}  # fmt: skip


def listed(active, sub, load="loaded", job=""):
    return ("envctl-web.service", "web", load, active, sub, "", PATH, 0, job, "/")


def serve(peer, row, refuse=False):
    """Answer as the init does: what comes after a greeting that was cut in two is never looked at."""
    with peer:
        if peer.recv(4096) != b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n":
            peer.recv(4096)
            return
        peer.sendall(b"OK 0123\r\n")
        parser = Parser()
        while data := peer.recv(4096):
            parser.add_data(data)
            while (asked := parser.get_next_message()) is not None:
                if refuse:
                    answer = new_error(
                        asked, "org.freedesktop.DBus.Error.AccessDenied", "s", ("no",)
                    )
                elif len(asked.body) == 1:
                    answer = new_method_return(asked, "a(ssssssouso)", ([row],))
                else:
                    answer = new_method_return(asked, "v", (PROPERTIES[asked.body[1]],))
                peer.sendall(answer.serialise(1))


@pytest.fixture
def init_with():
    threads, connections = [], []

    def begin(*row, **more):
        ours, theirs = socket.socketpair()
        ours.settimeout(5)
        threads.append(Thread(target=serve, args=(theirs, *row), kwargs=more))
        threads[-1].start()
        connections.append(ours)
        return SystemdClient(ours)

    yield begin
    for connection in connections:
        connection.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_machine_that_keeps_silent_is_asked_twice(tmp_path, monkeypatch, silent):
    monkeypatch.setattr(ssh_machine, "ANSWER_TIMEOUTS", (0.2, 0.2))
    threads, peers = [], []

    def dial(_machine, _target, timeout, *, patience=None):
        del patience
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout)
        peers.append(theirs)
        if len(peers) > silent:
            threads.append(Thread(target=serve, args=(theirs, listed("active", "running"))))
            threads[-1].start()
        return ours

    monkeypatch.setattr(SshMachine, "dial", dial)
    machine = SshMachine("web", tmp_path / "key", tmp_path / "known", "192.0.2.1")
    try:
        if silent < 2:
            assert machine.services(["envctl-web.service"])["envctl-web.service"].is_running
        else:
            with pytest.raises(EnvctlError, match=r"web did not answer within 0\.4 s"):
                machine.services(["envctl-web.service"])
        assert len(peers) == min(silent + 1, 2)
    finally:
        for peer in peers[:silent]:
            peer.close()
        for thread in threads:
            thread.join(5)


def test_a_service_that_runs_is_asked_once(init_with):
    init = init_with(listed("active", "running"))
    assert init.services(["envctl-web.service"]) == {
        "envctl-web.service": Service("loaded", "active", "running")
    }


@pytest.mark.parametrize(
    ("state", "job", "ends"),
    [
        (("active", "running"), "stop", True),
        (("deactivating", "stop-sigterm"), "stop", True),
        # It has exited by itself and left processes behind; it is being started; it has ended.
        (("deactivating", "stop-sigterm"), "", False),
        (("activating", "start"), "start", False),
        (("failed", "failed"), "stop", False),
    ],
)
def test_a_service_is_being_stopped_if_it_runs_and_has_a_stop_job(init_with, state, job, ends):
    init = init_with(listed(*state, job=job))
    assert init.services(["envctl-web.service"])["envctl-web.service"].is_being_stopped is ends


def test_of_one_that_has_ended_it_is_asked_how(init_with):
    init = init_with(listed("failed", "failed"))
    found = init.services(["envctl-web.service"])["envctl-web.service"]
    assert found.state == (Status.EXITED, 3)
    assert not found.is_running
    assert found.restarts == 7


def test_the_process_of_a_service_is_known(init_with):
    init = init_with(listed("active", "running"))
    assert init.main_process("envctl-web.service") == 42


def test_a_refusal_is_reported(init_with):
    refused = pytest.raises(EnvctlError, match="refuses ListUnitsByNames")
    init = init_with(listed("active", "running"), refuse=True)
    with refused:
        init.services(["envctl-web.service"])


def test_an_end_in_the_middle_is_not_an_answer():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(OSError, match=r"closed|pipe"):
            SystemdClient(ours)


@pytest.mark.parametrize(
    ("service", "state"),
    [
        (Service("loaded", "active", "running"), (Status.RUNNING, None)),
        (Service("loaded", "activating", "start"), (Status.RUNNING, None)),
        (Service("loaded", "activating", "auto-restart", 1, 4, 2), (Status.RESTARTING, 4)),
        (Service("loaded", "active", "exited"), (Status.EXITED, 0)),
        (Service("loaded", "failed", "failed", 1, 9), (Status.EXITED, 9)),
        (Service("loaded", "failed", "failed", 2, 9), (Status.EXITED, 137)),
        (Service("loaded", "inactive", "dead", 1, 0), (Status.EXITED, 0)),
        (Service("loaded", "activating", "start-post"), (Status.STARTING, None)),
        (Service("loaded", "deactivating", "stop-post", 1, 7), (Status.UNKNOWN, None)),
        (Service("loaded", "inactive", "dead"), (Status.CREATED, None)),
        (Service("not-found", "inactive", "dead"), (Status.CREATED, None)),
    ],
)
def test_what_the_init_says_has_a_meaning_for_all_backends(service, state):
    assert service.state == state
