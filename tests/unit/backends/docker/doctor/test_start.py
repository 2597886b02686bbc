"""Starting the engine: by systemd, by hand, and with a cure for what is known to go wrong."""

from __future__ import annotations

import gc
import os
import stat

import pytest

from envctl.backends.docker.doctor.engine_status import look
from envctl.backends.docker.doctor.start import LOG, PID_FILE, REMEDIES, start
from envctl.doctor import start_daemon
from envctl.doctor.host import Outcome
from envctl.errors import EnvctlError
from tests.support.fake_host import ABSENT, RUNNING, FakeHost


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 10.0)
    monkeypatch.setattr(start_daemon, "_PAUSE", 0.01)


@pytest.fixture
def engine(machine, tmp_path, monkeypatch):
    """Install a shell script as dockerd; it answers once it has written the file `up`."""
    program = tmp_path / "dockerd"
    monkeypatch.setattr(
        FakeHost, "which", lambda _self, name: str(program) if name == "dockerd" else None
    )

    def install(script, **options):
        program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/runs"\n{script}')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        host = machine("dockerd", environ={"PATH": "/usr/bin:/bin"}, **options)
        return host, lambda: RUNNING if (tmp_path / "up").exists() else ABSENT

    return install


UP = "touch up; exec sleep 0.2\n"


def runs(tmp_path):
    """The arguments of each start."""
    return (tmp_path / "runs").read_text().splitlines()


def test_an_engine_started_by_hand_keeps_no_secrets_of_whoever_started_it(engine, tmp_path):
    host, ask = engine(f"env >given\n{UP}")
    host.environ["DB_PASSWORD"] = "hush"
    start(host, ask, lambda _: None)

    assert "DB_PASSWORD" not in (tmp_path / "given").read_text()


def test_by_hand_it_is_started_detached_and_logs_to_a_file(engine, tmp_path):
    host, ask = engine(f"echo started >&2\n{UP}")
    events = []
    start(host, ask, events.append)

    assert runs(tmp_path) == [""]
    assert (tmp_path / LOG).read_text() == "started\n"
    assert [f"{event.stage} {event.text}".strip() for event in events] == [
        "started",
        "done running",
    ]


@pytest.mark.parametrize(
    ("sign", "arguments", "ran"),
    [
        (
            "failed to start daemon: Devices cgroup: iptables not found",
            "",
            ["iptables", "ip6tables"],
        ),
        (
            "failed to start daemon: error initializing graphdriver: overlay",
            "--storage-driver=vfs",
            [],
        ),
        ("failed to start daemon: pid file found, ensure docker is not running", "", []),
    ],
)
def test_a_known_failure_is_cured_and_the_engine_started_again(
    engine, tmp_path, sign, arguments, ran
):
    script = f'if [ ! -e tried ]; then touch tried; echo "level=warning" >&2; echo "{sign}" >&2; exit 1; fi\n{UP}'
    host, ask = engine(script)
    events = []
    start(host, ask, events.append)

    assert runs(tmp_path) == ["", arguments]
    assert [argv[2] for argv in host.ran if argv[0] == "update-alternatives"] == ran
    assert next(event.text for event in events if str(event.stage) == "note") in {
        remedy.note for remedy in REMEDIES
    }


def test_cures_add_up_and_each_is_tried_once(engine, tmp_path):
    host, ask = engine(
        "echo 'failed to start daemon: graphdriver' >&2\n"
        'case "$*" in *vfs*) echo "failed to start daemon: iptables" >&2 ;; esac\nexit 1\n'
    )
    with pytest.raises(EnvctlError) as caught:
        start(host, ask, lambda _event: None)

    assert runs(tmp_path) == ["", "--storage-driver=vfs", "--storage-driver=vfs"]
    assert caught.value.details.splitlines()[-1] == "failed to start daemon: iptables"


def test_an_unknown_failure_is_reported_with_the_end_of_this_runs_log_only(engine, tmp_path):
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).write_text("pid file found, long ago\n")
    host, ask = engine("echo 'failed to start daemon: no idea' >&2; exit 1\n")
    events = []
    with pytest.raises(EnvctlError) as caught:
        start(host, ask, events.append)

    assert caught.value.brief == "the Docker engine does not start"
    assert caught.value.details == "failed to start daemon: no idea"
    assert str(events[-1].stage) == "failed"


def test_an_engine_that_never_answers_is_ended(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(start_daemon, "PATIENCE", 0.3)
    host, ask = engine("echo $$ > pid; exec sleep 60\n")
    with pytest.raises(EnvctlError, match="does not start"):
        start(host, ask, lambda _event: None)

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(("comm", "left"), [("dockerd", True), ("bash", False), ("", False)])
def test_the_pid_file_of_a_killed_engine_goes_and_that_of_a_living_one_stays(
    machine, tmp_path, comm, left
):
    host = machine(files={PID_FILE: "77\n", "proc/77/comm": f"{comm}\n"})
    remedy = next(remedy for remedy in REMEDIES if remedy.sign == "pid file found")
    assert remedy.apply is not None
    remedy.apply(host)

    assert (tmp_path / PID_FILE).exists() == left


def test_control_groups_are_mounted_where_nobody_did(engine, tmp_path):
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    host, ask = engine(UP)
    start(host, ask, lambda _event: None)

    assert host.ran == [("mount", "-t", "cgroup2", "cgroup2", str(tmp_path / "sys/fs/cgroup"))]


def test_control_groups_that_exist_are_left_alone(engine):
    host, ask = engine(UP, files={"sys/fs/cgroup/cgroup.procs": "1"})
    start(host, ask, lambda _event: None)

    assert host.ran == []


def test_by_systemd_a_failure_is_reported_with_its_journal(machine):
    def answers(argv):
        return (
            Outcome(1, "Job failed") if argv[0] == "systemctl" else Outcome(0, "the journal's end")
        )

    host = machine("dockerd", files={"run/systemd/system/x": ""}, answers=answers)
    with pytest.raises(EnvctlError) as caught:
        start(host, lambda: ABSENT, lambda _event: None)

    assert caught.value.details == "Job failed\nthe journal's end"
    assert caught.value.hint == "systemctl status docker"


def test_without_an_engine_the_package_is_named(machine):
    with pytest.raises(EnvctlError) as caught:
        start(machine(), lambda: ABSENT, lambda _event: None)
    assert caught.value.hint == "`envctl doctor` shows how to install it"


# docker-py leaves the socket that could not be connected to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed")
def test_looking_for_an_engine_never_raises(tmp_path):
    absent = look({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert (str(absent.state), absent.error) == ("absent", "No such file or directory")
    refused = look({"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert (str(refused.state), refused.error) == ("absent", "Connection refused")
    assert str(look({"DOCKER_HOST": "nonsense://x"}).state) == "fails"
    gc.collect()
