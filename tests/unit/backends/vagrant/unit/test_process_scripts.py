"""How a process comes to run in a machine: by a real shell."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from envctl.backends.vagrant.unit import process_scripts
from envctl.backends.vagrant.unit.secret_exports import secret_exports
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.digest import plain
from envctl.plan.model import Process, Run, Secret

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
    own = Process(("python3", "-c", SHOW, *AWKWARD), "root", str(folder), env)

    done = subprocess.run(
        ["/bin/sh", "-c", process_scripts.start_script(Run(own)).replace("PATH=", 'PATH="$PATH":')],
        capture_output=True,
        check=True,
        env={**os.environ, "LEAKED": "1"},
    )
    argv, seen, where = json.loads(done.stdout)

    assert argv == AWKWARD
    assert where == str(folder)
    assert {name: value for name, value in seen.items() if name.startswith("V")} == env
    assert set(seen) - set(env) <= {"PATH", "HOME", "HOSTNAME", "LC_CTYPE"}


@pytest.mark.parametrize("user", ["12345", "1234567", "42424", "1"])
def test_a_number_is_a_user_whether_it_is_anybodys_or_not(user):
    text = process_scripts.command(("true",), UnitPaths("web"), user=user)
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


def test_a_name_that_is_nobodys_is_reported():
    text = process_scripts.command(("true",), UnitPaths("web"), user="nobody-at-all")
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (126, "there is no user nobody-at-all\n")


@pytest.mark.parametrize(
    ("processes", "code"),
    [("17\n", 0), ("", process_scripts.NOT_RUNNING), (None, process_scripts.NOT_RUNNING)],
)
def test_a_command_runs_only_where_the_unit_has_a_process(tmp_path, processes, code):
    room, file = UnitPaths("web"), tmp_path / "cgroup.procs"
    if processes is not None:
        file.write_text(processes, "utf-8")
    text = (
        process_scripts.require_running(room)
        .replace(room.processes, str(file))
        .replace("sleep 0.1", "sleep 0")
    )
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (code, "")


def test_a_program_whose_name_has_an_equals_sign_is_not_a_variable():
    assert process_scripts.start_script(Run(Process(("a=b", "c")))).endswith(
        """/bin/sh -c 'exec "$0" "$@"' a=b c\n"""
    )


def test_a_command_beside_the_process_gets_what_is_made_of_secrets_and_its_own_variables_first(
    tmp_path,
):
    value = "s3cret 'q' $x\n\tü\n"
    paths = UnitPaths("web")
    run = Run(
        Process(("serve",), secret_env={"A": "<${secret.token}>", "B": "${secret.token}"}),
        secrets=(Secret("token", "/run/secrets/.token"),),
    )
    file = tmp_path / "secrets" / ".token"
    file.parent.mkdir()
    file.write_text(value, "utf-8")
    exports = secret_exports(plain(run), paths, without=["B"])
    text = process_scripts.command(
        ("python3", "-c", SHOW, *AWKWARD),
        paths,
        env={"B": "mine"},
        secret_exports=exports.replace("/run/secrets", str(tmp_path / "secrets")),
    ).replace("setpriv", ": ; env -i", 1)
    # Only root may change the user: all but that is as in a machine.
    text = re.sub(r": ; env -i .*? -- /usr/bin/env -i PATH=", "/usr/bin/env -i PATH=$PATH:", text)

    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, check=True)
    argv, seen, _ = json.loads(done.stdout)

    assert argv == AWKWARD
    assert {name: seen.get(name) for name in ("A", "B")} == {"A": f"<{value}>", "B": "mine"}
    assert set(seen) <= {"A", "B", "PATH", "HOME", "HOSTNAME", "LC_CTYPE"}
