"""Processes read: programs that stay are told, workers and what comes and goes are not told by themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.common import probe
from envctl.parity import processes
from envctl.plan.model import Probe, ProbeKind

MACHINE = "0::/system.slice/envctl-web.service"


def process(
    pid,
    *argv,
    parent=1,
    started=100,
    stack=0,
    uid=5,
    nice=0,
    oom=0,
    group="0::/",
    command=None,
    flags=0,
):
    """What the kernel tells of a process, as the script puts it together."""
    name = command or argv[0].rpartition("/")[2][:15]
    numbers = [
        parent,
        1,
        1,
        0,
        -1,
        flags,
        *[0] * 9,
        nice,
        1,
        0,
        started,
        0,
        0,
        0,
        1,
        1,
        stack,
        *[0] * 20,
    ]
    numbers[14:16] = [20 + nice, nice]
    stat = f"{pid} ({name}) S {' '.join(map(str, numbers))}\n"
    status = (
        f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nnonvoluntary_ctxt_switches:\t3\n"
    )
    return f"{stat}{oom}\n{status}{group}\nLinux\n" + "".join(f"{word}\0" for word in argv)


INIT = process(1, "/sbin/docker-init", "--", "web", parent=0, started=1, uid=0)


def found(*looks, own=(), exes="", substrate=None, probe=()):
    """The programs of several looks, each a list of processes."""
    parts = {f"look{number}": "".join(look) for number, look in enumerate(looks)}
    return processes.read(
        {**parts, "exes": exes},
        {f"look{number}": "".join(look) for number, look in enumerate(own)},
        unit="web",
        substrate=substrate,
        probe=probe,
    )


def programs(*looks, **more):
    return [json.loads(key) for key in found(*looks, **more).of_unit]


def test_every_program_is_reported_with_its_user_and_how_it_runs():
    look = [INIT, process(7, "web", "--port", "80", nice=5, oom=300)]
    assert found(look).of_unit == {
        '["web", "--port", "80"]': "user 5:5, nice 5, oom_score_adj 300, capabilities 0000000000000000, no new privileges 1"
    }


def test_a_second_program_is_reported():
    assert programs([INIT, process(7, "web"), process(9, "sleep", "9", parent=0)]) == [
        ["web"],
        ["sleep", "9"],
    ]


@pytest.mark.parametrize(
    "seen",
    [
        [process(9, "pg_isready", "-q", parent=0)],
        [process(9, "/usr/bin/perl", "/usr/bin/pg_isready", "-q", parent=0)],
        [process(9, "pg_isready", "-q", parent=0), process(10, "sleep", "1", parent=9)],
    ],
)
def test_a_health_check_that_happens_to_run_is_no_program_of_the_unit(seen):
    assert programs([INIT, process(7, "web"), *seen], probe=("pg_isready", "-q")) == [["web"]]


@pytest.mark.parametrize(
    "argv",
    [
        ("pg_isready",),
        ("pg_isready", "-v"),
        ("sleep", "9", "8", "pg_isready", "-q"),
        ("other", "-q"),
    ],
)
def test_what_only_looks_like_the_health_check_is_reported(argv):
    look = [INIT, process(7, "web"), process(9, *argv, parent=0)]
    assert programs(look, probe=("pg_isready", "-q")) == [["web"], list(argv)]


@pytest.mark.parametrize(
    ("kind", "words"), [(ProbeKind.TCP, ("127.0.0.1", "80")), (ProbeKind.HTTP, ("http://x/",))]
)
def test_a_probe_of_envctl_s_own_is_known_by_its_words(kind, words):
    command = probe.test(Probe(kind, words))
    look = [INIT, process(7, "web"), process(9, *command), process(10, "perl", "-e", "…", parent=9)]
    assert programs(look, probe=command) == [["web"]]


def test_forks_are_a_part_of_their_program_whatever_they_call_themselves():
    look = [
        INIT,
        process(7, "postgres", "-D", "/data", stack=1234),
        process(8, "postgres: checkpointer ", parent=7, stack=1234, started=110),
        process(9, "postgres: web web 10.0.0.7(51234) idle", parent=7, stack=1234, started=900),
    ]
    assert programs(look) == [["postgres", "-D", "/data"]]


def test_the_same_program_started_again_is_another_one():
    look = [
        process(7, "python", "web.py", stack=1),
        process(8, "python", "work.py", parent=7, stack=2),
    ]
    assert programs(look) == [["python", "web.py"], ["python", "work.py"]]


def test_what_only_the_unit_s_own_user_may_know_of_its_processes_counts():
    look = [
        process(7, "python", "web.py"),
        process(8, "worker of web", parent=7, command="renamed"),
    ]
    own = [process(7, "python", "web.py", stack=3), process(8, "worker of web", parent=7, stack=3)]
    assert programs(look, own=[own]) == [["python", "web.py"]]


def test_workers_of_another_user_are_reported_as_a_way_the_program_runs():
    look = [
        process(7, "nginx", stack=1, uid=0),
        process(8, "nginx: worker process", parent=7, stack=1, uid=33),
    ]
    assert sorted(found(look).of_unit["[\"nginx\"]"].split("; ")) == [
        f"user {uid}:{uid}, nice 0, oom_score_adj 0, capabilities 0000000000000000, no new privileges 1"
        for uid in (0, 33)
    ]  # fmt: skip


def test_what_comes_and_goes_is_reported_if_most_looks_see_it():
    web, wait = process(7, "sh", "loop"), ["sleep", "5"]
    looks = [
        [web, process(10, *wait, parent=7)],
        [web, process(11, "curl", "x", parent=7)],
        [web, process(12, *wait, parent=7)],
    ]
    assert programs(*looks) == [["sh", "loop"], wait]


def test_those_that_look_are_no_programs_of_the_unit():
    script = "# Collects facts inside a unit: …\nexec 2>/dev/null"
    look = [
        process(7, "web"),
        process(
            19, "bash", "-c", f"{{ ( cd /; exec /bin/sh -c '{script}' ); }}; printf x", parent=0
        ),
        process(20, "/bin/sh", "-c", script, "facts", parent=19),
        process(21, "find", "/", parent=20),
        process(22, "sha256sum", "x", parent=21),
    ]
    assert programs(look) == [["web"]]


@pytest.mark.parametrize(
    "words",
    [
        ["python3", "-I", "-c", "import sys", "http://127.0.0.1:8000/healthz", "3"],
        ["curl", "--max-time", "3", "--", "http://127.0.0.1:8000/healthz"],
        ["wget", "-q", "-O", "/dev/null", "-T", "3", "http://127.0.0.1:8000/healthz"],
    ],
)
def test_a_tool_of_a_probe_whose_shell_the_engine_has_ended_is_no_program_of_the_unit(words):
    asked = probe.test(Probe(ProbeKind.HTTP, ("http://127.0.0.1:8000/healthz",), timeout=3))
    look = [process(7, "web"), process(20, *words)]
    assert programs(look, probe=asked) == [["web"]]
    assert len(programs(look)) == 2


def test_a_command_that_the_engine_is_about_to_begin_is_no_program_of_the_unit():
    begun = [process(7, "web"), process(20, "runc", "init", parent=0)]
    assert programs(begun) == [["web"]]
    planted = [process(7, "web"), process(20, "runc", "init", parent=7)]
    assert programs(planted) == [["web"], ["runc", "init"]]


def test_in_a_machine_what_came_with_it_is_substrate_and_all_else_is_reported():
    look = [
        process(1, "/sbin/init", uid=0, command="systemd", group="0::/init.scope"),
        process(2, "kthreadd", uid=0, flags=0x00208040),
        process(5, "sshd: root@notty", uid=0, group="0::/system.slice/ssh.service"),
        process(7, "web", group=MACHINE),
        process(8, "sleep", "infinity", group="0::/system.slice/ssh.service"),
        process(9, "other", group="0::/system.slice/envctl-db.service"),
        process(10, "/run/envctl/busybox", "udhcpc", uid=0),
    ]
    exes = (
        "lrwxrwxrwx 1 root root 0 Jan 1 /proc/1/exe -> /usr/lib/systemd/systemd\n"
        "lrwxrwxrwx 1 root root 0 Jan 1 /proc/5/exe -> /usr/sbin/sshd\n"
        "lrwxrwxrwx 1 root root 0 Jan 1 /proc/8/exe -> /usr/bin/sleep\n"
        "lrwxrwxrwx 1 root root 0 Jan 1 /proc/10/exe -> /run/envctl/busybox\n"
    )
    substrate = {"/usr/lib/systemd/systemd", "/usr/sbin/sshd"}
    seen = found(look, exes=exes, substrate=substrate)
    assert [json.loads(key) for key in seen.of_unit] == [["web"], ["sleep", "infinity"]]
    assert sorted(seen.substrate) == [
        "/run/envctl/busybox",
        "/usr/lib/systemd/systemd",
        "/usr/sbin/sshd",
    ]


def test_a_machines_init_is_the_machines_though_the_units_image_has_that_program_too():
    look = [
        process(1, "/sbin/init", uid=0, command="systemd", group="0::/init.scope"),
        process(4, "journal", uid=0, group="0::/system.slice/systemd-journald.service"),
        process(5, "sshd", uid=0, group="0::/system.slice/ssh.service"),
        process(6, "own", uid=0, group="0::/system.slice/systemd-journald.service"),
        process(7, "web", group=MACHINE),
    ]
    exes = "".join(
        f"lrwxrwxrwx 1 root root 0 Jan 1 /proc/{pid}/exe -> {file}\n"
        for pid, file in (
            (1, "/usr/lib/systemd/systemd"),
            (4, "/usr/lib/systemd/systemd-journald"),
            (5, "/usr/sbin/sshd"),
            (6, "/opt/own"),
        )
    )
    seen = found(look, exes=exes, substrate=())
    assert [json.loads(key) for key in seen.of_unit] == [["own"], ["web"]]
    assert len(seen.substrate) == 3


def test_a_process_that_calls_itself_another_s_words_is_itself():
    lie = "x\n9 (evil) S 1 1\n"
    assert programs([process(7, "web", lie)]) == [["web", lie]]


def test_nothing_seen_is_not_a_fact():
    with pytest.raises(ValueError, match="no process"):
        found()


@given(st.text(max_size=300))
def test_whatever_is_told_of_processes_is_read_or_refused(told):
    try:
        seen = found([process(7, "web"), told])
    except ValueError:
        return
    assert all(isinstance(value, str) for value in seen.of_unit.values())
