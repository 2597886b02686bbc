"""What a machine is told about its unit: run by a real shell, read by hand."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import replace

import pytest

from envctl.backends.vagrant import guest
from envctl.backends.vagrant.guest import Room
from envctl.plan.model import Kind, Process, ReadyImage, Resources, Restart, Run, Secret
from tests.support.plans import script as step
from tests.support.plans import unit

AWKWARD = [
    "",
    " ",
    "'",
    '"',
    "`id`",
    "$HOME",
    "a\nb",
    "back\\slash",
    "ü ☃",
    "-rf",
    "%s",
    "#x",
    "a=b",
    "\x01",
]
SHOW = "import json,os,sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"


def test_the_script_becomes_the_process_with_just_its_words_and_variables(tmp_path):
    env = {f"V{number}": value for number, value in enumerate(AWKWARD)}
    folder = tmp_path / "it's $x"
    folder.mkdir()
    process = Process(("python3", "-c", SHOW, *AWKWARD), "root", str(folder), env)

    done = subprocess.run(
        ["/bin/sh", "-c", guest.script(process).replace("PATH=", 'PATH="$PATH":')],
        capture_output=True,
        check=True,
        env={**__import__("os").environ, "LEAKED": "1"},
    )
    argv, seen, where = json.loads(done.stdout)

    assert argv == AWKWARD
    assert where == str(folder)
    assert {name: value for name, value in seen.items() if name.startswith("V")} == env
    assert set(seen) - set(env) <= {"PATH", "HOME", "HOSTNAME", "LC_CTYPE"}


@pytest.mark.parametrize("user", ["12345", "1234567", "42424", "1"])
def test_a_number_is_a_user_whether_it_is_anybodys_or_not(user):
    text = guest.command(("true",), Process((), user), Room("web"), user=None, workdir=None, env={})
    looked_up = text.partition("cgroup.procs || :;")[2].partition("cd --")[0]
    done = subprocess.run(
        ["/bin/sh", "-c", looked_up + 'echo "$uid:$gid"'],
        capture_output=True,
        text=True,
        check=True,
    )
    uid, gid = done.stdout.strip().split(":")
    assert uid == user
    assert gid == ("1" if user == "1" else "0")


def test_a_name_that_is_nobodys_is_told():
    nobody = Process((), "nobody-at-all")
    text = guest.command(("true",), nobody, Room("web"), user=None, workdir=None, env={})
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (126, "there is no user nobody-at-all\n")


@pytest.mark.parametrize(
    ("processes", "code"), [("17\n", 0), ("", guest.NOT_RUNNING), (None, guest.NOT_RUNNING)]
)
def test_a_command_runs_only_where_the_unit_has_a_process(tmp_path, processes, code):
    room, file = Room("web"), tmp_path / "cgroup.procs"
    if processes is not None:
        file.write_text(processes, "utf-8")
    text = guest.insist(room).replace(room.processes, str(file)).replace("sleep 0.1", "sleep 0")
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (code, "")


def test_secrets_of_a_number_are_given_to_it_without_a_group():
    web = unit("web", secrets=(Secret("a", "/run/secrets/a"),))
    numbered = replace(web, run=replace(web.run, process=replace(web.run.process, user="1000")))
    assert "chown -- 1000 /run/secrets/a" in guest.settle(numbered, Room("web"))
    assert "chown -- root: /run/secrets/a" in guest.settle(web, Room("web"))


def test_a_program_whose_name_has_an_equals_sign_is_no_variable():
    assert guest.script(Process(("a=b", "c"))).endswith("""/bin/sh -c 'exec "$0" "$@"' a=b c\n""")


def test_a_service_has_the_units_user_limits_and_no_privileges():
    web = unit("web", step("true"), resources=Resources(0.5, 64 * 1024**2), restart=Restart.ALWAYS)
    text = guest.service(web, Room("web"))

    for line in (
        "Type=exec", "User=root", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "Restart=always",
        "MemoryMax=67108864", "MemorySwapMax=0", "CPUQuota=50%", "KillMode=mixed",
    ):  # fmt: skip
        assert line in text.splitlines()


def test_a_container_counts_as_started_when_it_runs_and_not_when_its_client_does():
    web = replace(unit("web"), source=ReadyImage("web:1"))
    job = replace(unit("job", kind="task"), source=ReadyImage("job:1"))

    assert "inspect -f {{.State.Running}} envctl" in guest.service(web, Room("web"))
    assert "ExecStartPost" not in guest.service(job, Room("job"))
    assert "ExecStartPost" not in guest.service(unit("web"), Room("web"))


def test_a_task_runs_once():
    text = guest.service(
        unit("job", kind="task", restart=Restart.ON_FAILURE), Room("job")
    ).splitlines()
    assert {"Type=oneshot", "RemainAfterExit=yes", "Restart=no"} <= set(text)
    assert unit("job", kind="task").kind is Kind.TASK


def test_no_value_of_the_spec_stands_in_the_inits_own_file():
    awkward = unit("web", env={"A": "%n $X\nExecStart=/bin/evil"}, argv=["sh", "%i\n[Service]"])
    assert guest.service(awkward, Room("web")) == guest.service(unit("web"), Room("web"))


def test_secrets_travel_as_files_of_the_archive_only():
    web = unit("web", secrets=(Secret("a", "/run/secrets/a"), Secret("b", "/etc/b key")))
    data = guest.archive(web, Room("web"), {"a": b"one", "b": b"two"})
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {one.name: (one.mode, tar.extractfile(one).read()) for one in tar}

    assert members["run/secrets/a"] == (0o400, b"one")
    assert members["run/secrets/.b"] == (0o400, b"two")
    settled = guest.settle(web, Room("web"))
    assert "one" not in settled.split()
    assert "ln -sfn -- /run/secrets/.b '/etc/b key'" in settled
    assert subprocess.run(["/bin/sh", "-n", "-c", settled], check=False).returncode == 0


def test_a_unit_of_a_shared_machine_alone_sees_its_secrets():
    web, room = unit("web", secrets=(Secret("a", "/run/secrets/a"),)), Room("web", shared=True)
    assert "BindReadOnlyPaths=/run/envctl/secrets/web:/run/secrets" in guest.service(web, room)
    assert "BindReadOnlyPaths" not in guest.service(web, Room("web"))
    with tarfile.open(fileobj=io.BytesIO(guest.archive(web, room, {"a": b"one"}))) as tar:
        assert "run/envctl/secrets/web/a" in tar.getnames()


def test_names_of_one_address_stand_on_one_line():
    text = guest.hosts({"10.1.2.3": ["db"], "10.1.2.4": ["web", "web-2"]})
    assert text.splitlines()[2:] == ["10.1.2.3 db", "10.1.2.4 web web-2"]


def test_a_run_with_every_default_is_a_service_too():
    assert "Restart=no" in guest.service(unit("web"), Room("web")).splitlines()
    assert Run().kind is Kind.SERVICE
