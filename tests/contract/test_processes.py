"""What a unit's process, and whoever looks inside, really sees: on backends that run processes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime

import pytest

from envctl.backends.base import Execution
from envctl.errors import EnvctlError
from tests.support.project import TREE, wait_for

pytestmark = pytest.mark.executes

IDLE = "web: {command: [sleep, infinity]}"


def test_exec_keeps_the_streams_apart_and_returns_the_exit_code(stage):
    stage.spec(IDLE).up()

    assert stage.run("web", "sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")


def test_exec_passes_standard_input_until_its_end(stage):
    stage.spec(IDLE).up()
    data = bytes(range(256)) * 4096

    code, out, _ = stage.run("web", "sha256sum", stdin=io.BytesIO(data))

    assert (code, out.split()[0]) == (0, hashlib.sha256(data).hexdigest())


def test_exec_has_the_units_user_directory_and_environment_unless_told_otherwise(stage):
    stage.spec("web: {command: [sleep, infinity], env: {COLOUR: blue}}").up()
    show = ("sh", "-c", "id -un; pwd; echo $COLOUR")

    assert stage.run("web", *show)[1].split() == ["web", "/srv/web", "blue"]
    told = stage.run("web", *show, user="root", workdir="/tmp", env={"COLOUR": "red"})
    assert told[1].split() == ["root", "/tmp", "red"]


def test_exec_of_something_that_is_not_there_says_so(stage):
    stage.spec(IDLE).up()

    with pytest.raises(EnvctlError, match="dev has no service 'wbe'") as caught:
        stage.run("wbe", "true")
    assert "did you mean 'web'?" in caught.value.hint


def test_exec_in_a_unit_whose_process_has_ended_says_so(stage):
    stage.spec("web: {command: [sleep, infinity]}\njob: {kind: task, command: ['true']}").up()

    with pytest.raises(EnvctlError, match=r"job is a task and has completed"):
        stage.run("job", "true")
    assert stage.run("web", "sh", "-c", "exit 125")[0] == 125


def test_a_command_that_takes_too_long_is_ended(stage):
    stage.spec(IDLE).up()
    before = time.monotonic()

    with pytest.raises(EnvctlError, match="sleep"):
        stage.run("web", "sleep", "300", timeout=1.0)

    assert time.monotonic() - before < 30


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started_however_much_it_prints(
    stage,
):
    stage.spec(IDLE).up()
    flood = "sleep 98761 & setsid sleep 98761 & yes A 98761"
    before = time.monotonic()

    with pytest.raises(EnvctlError, match="did not finish within 2 s") as caught:
        stage.run("web", "sh", "-c", flood, timeout=2.0)

    assert time.monotonic() - before < 40
    assert caught.value.hint.startswith("it was killed")
    assert left(stage, "98761") == ""


def test_a_check_that_floods_its_output_is_ended_and_told(stage):
    stage.clear()
    check = {"noisy": {"command": ["yes", "A 98762"], "timeout": "2s"}}
    stage.spec(json.dumps({"web": {"command": ["sleep", "infinity"], "checks": check}})).up()

    (finding,) = stage.workspace().verify(stage.target).findings

    assert "did not finish within 2 s" in finding.message
    assert left(stage, "98762") == ""


def test_a_probe_that_floods_its_output_ends_up_in_time(stage):
    stage.clear()
    probe = {"command": ["yes", "A 98763"], "timeout": "1s", "interval": "1s", "retries": 1}
    web = {"command": ["sleep", "infinity"], "healthcheck": {**probe, "start_period": "2s"}}
    stage.spec(json.dumps({"web": {"command": ["sleep", "infinity"]}, "noisy": web}))
    before = time.monotonic()

    with pytest.raises(EnvctlError, match="noisy: it did not become healthy within 3 s") as caught:
        stage.up()

    assert time.monotonic() - before < 60
    assert len(caught.value.details) < 10_000
    stage.clear()


def test_what_a_command_leaves_running_keeps_nobody_waiting(stage):
    stage.spec(IDLE).up()
    before = time.monotonic()

    code, out, _ = stage.run("web", "sh", "-c", "sleep 98764 & echo started")

    assert (code, out) == (0, "started\n")
    assert time.monotonic() - before < 60
    assert left(stage, "98764") != ""
    stage.run("web", "pkill", "-f", "sleep 98764")


def test_a_command_that_a_signal_killed_ends_as_a_shell_says_and_says_no_more(stage):
    stage.spec(IDLE).up()

    assert stage.run("web", "sh", "-c", "echo a; kill -9 $$") == (137, "a\n", "")
    assert stage.run("web", "sh", "-c", "kill -TERM $$")[0] == 143


def test_what_is_printed_last_and_at_length_arrives_whole(stage):
    stage.spec(IDLE).up()
    script = "head -c 3000000 /dev/zero | tr '\\0' x; printf end; head -c 300000 /dev/zero >&2"

    code, out, err = stage.run("web", "sh", "-c", script)

    assert (code, len(out), out[-3:], len(err)) == (0, 3_000_003, "end", 300_000)


def test_exec_has_the_units_limits(stage):
    limits = {"docker": {"ulimits": {"nofile": 4321}}, "vagrant": {"ulimits": {"nofile": 4321}}}
    web = {"command": ["sleep", "infinity"], "options": limits}
    stage.spec(json.dumps({"web": web})).up()

    assert stage.run("web", "sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c")[1] == "4321\n4321\n0\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_exec_that_is_told_to_end_ends_its_command_inside(stage, number):
    stage.spec(IDLE).up()
    script = "sleep 44765 & echo ready; sleep 44765"
    argv = ("exec", "-T", f"dev@{stage.backend}", "web", "--", "sh", "-c", script)
    with stage.start(*argv) as process:
        wait_for(process, "ready")
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert left(stage, "44765") == ""


def test_exec_whose_reader_has_gone_ends_as_a_pipe_does(stage):
    stage.spec(IDLE).up()
    command = f"{sys.executable} -m envctl exec -T dev@{stage.backend} web -- yes 98766"

    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 5; exit ${{PIPESTATUS[0]}}"],
        cwd=stage.root,
        env={**stage.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (141, "98766", "")
    assert left(stage, "98766") == ""


def left(stage, word: str) -> str:
    """The processes in `web` whose words have that one."""
    script = "for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p 2>/dev/null; echo; done"
    return "".join(
        f"{line}\n" for line in stage.run("web", "sh", "-c", script)[1].splitlines() if word in line
    )


def test_the_process_is_a_child_of_an_init_and_runs_as_its_own_user(stage):
    stage.spec(IDLE).up()

    _, out, _ = stage.run("web", "sh", "-c", "cat /proc/1/comm; id -u; id -un")
    init, uid, user = out.split()

    assert init != "sleep"
    assert int(uid) > 0
    assert user == "web"


def test_what_a_process_may_do_is_restricted(stage):
    stage.spec(IDLE).up()

    of_sleep = "for p in /proc/[0-9]*; do grep -qx sleep $p/comm && cat $p/status; done"
    for status in (of_sleep, "cat /proc/self/status"):
        _, out, _ = stage.run("web", "sh", "-c", status)
        facts = dict(line.split(":\t", 1) for line in out.splitlines())
        assert int(facts["CapBnd"], 16) == 0
        assert int(facts["CapEff"], 16) == 0
        assert facts["NoNewPrivs"] == "1"
        assert facts["Uid"].split()[0] != "0"

    of_sleep = of_sleep.replace("/status", "/limits")
    _, out, _ = stage.run("web", "sh", "-c", of_sleep)
    found = {line[:25].strip(): tuple(line[25:].split()[:2]) for line in out.splitlines()}
    for limit, values in {
        "Max open files": ("1024", "16384"),
        "Max processes": ("16384", "16384"),
        "Max pending signals": ("16384", "16384"),
        "Max locked memory": ("8388608", "8388608"),
        "Max core file size": ("0", "unlimited"),
    }.items():
        assert found[limit] == values


def test_a_published_port_answers_on_loopback_only(stage):
    stage.spec("""
        web:
          command: [python3, -c, "import http.server as s; s.HTTPServer(('', 8000), s.SimpleHTTPRequestHandler).serve_forever()"]
          ports: ["8000"]
          healthcheck: {http: "http://127.0.0.1:8000/"}
    """).up()
    (row,) = (row for row in stage.workspace().status(stage.target) if row.unit == "web")

    (address,) = row.addresses
    assert address.startswith("127.0.0.1:")
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
        assert answer.status == 200


def test_a_mounted_file_is_live(stage):
    stage.write("live/page", "one")
    stage.spec(IDLE).up()
    assert stage.run("web", "cat", "/srv/live/page")[1] == "one"

    stage.write("live/page", "two")

    assert stage.run("web", "cat", "/srv/live/page")[1] == "two"
    assert stage.up() == []


@pytest.mark.long
def test_build_steps_run_in_order_as_they_are_told_and_anew_when_a_file_changes(project):
    """Each has its own user, directory and environment."""
    project.write("page.txt.j2", "{{ greeting }} at ${PORT}\n")
    project.write("one.txt", "1")
    project.spec("""
        web:
          command: [sleep, infinity]
          build:
            - copy: {from: one.txt, to: /srv/one.txt, owner: web, mode: "0640"}
            - template: {from: page.txt.j2, to: /srv/page.txt, values: {greeting: hello}}
            - run: {command: ["sh", "-c", "echo $0 $X $(id -un) $(pwd) > /tmp/out", "it's $HOME"], user: web, workdir: /var, env: {X: "a b"}}
            - run: |
                cat /srv/one.txt >> /tmp/out
                false || echo fine >> /tmp/out
                mkdir /run/own; echo here > /run/own/file
    """).up()

    assert project.run("web", "cat", "/srv/page.txt")[1] == "hello at ${PORT}\n"
    assert project.run("web", "cat", "/tmp/out")[1] == "it's $HOME a b web /var\n1fine\n"
    assert project.run("web", "stat", "-c", "%a %U", "/srv/one.txt")[1] == "640 web\n"
    assert project.run("web", "cat", "/run/own/file")[1] == "here\n"

    # Boxes outlive environments: this one must be nobody's yet.
    project.write("one.txt", f"1 of {project.name}\n")

    assert project.up() == ["build web", "replace web"]
    assert project.run("web", "cat", "/srv/one.txt")[1] == f"1 of {project.name}\n"


def test_a_build_step_that_fails_is_reported_with_its_output_and_its_line(project):
    project.spec("""
        web:
          command: [sleep, infinity]
          build:
            - run: "echo about to fail; exit 3"
    """)

    with pytest.raises(EnvctlError) as caught:
        project.up()

    assert "about to fail" in str(caught.value)
    assert "envctl.yaml:7" in str(caught.value)
    assert project.states() == {"web": "missing"}


def test_a_secret_is_a_file_only_the_units_user_can_read(stage):
    stage.environ = {**stage.environ, "TOKEN": "s3cret 'q' $x\n\tü"}
    stage.spec(
        "web: {command: [sleep, infinity], secrets: [token]}",
        top="secrets: {token: {env: TOKEN}}\n",
    ).up()

    assert stage.run("web", "cat", "/run/secrets/token")[1] == "s3cret 'q' $x\n\tü"
    assert stage.run("web", "stat", "-c", "%a %U", "/run/secrets/token")[1] == "400 web\n"
    kind = stage.run("web", "stat", "-f", "-c", "%T", "/run/secrets/token")[1]
    assert kind == "tmpfs\n"


def test_a_variable_made_of_secrets_is_in_every_process_of_the_unit_and_nowhere_else(stage):
    value = "s3cret 'q' $x\n\tü"
    stage.environ = {**stage.environ, "TOKEN": value}
    stage.spec(
        """
        web:
          command: [sh, -c, 'printf "%s" "$URL" > /data/main; exec sleep infinity']
          env: {URL: {template: "http://app:${secret.token}@db"}, TOKEN: {secret: token}, COLOUR: blue}
          hooks: {after_start: [[sh, -c, 'printf "%s" "$URL" > /data/hook']]}
          healthcheck: {command: [sh, -c, 'test -n "$TOKEN" && test $COLOUR = blue']}
        """,
        top="secrets: {token: {env: TOKEN}}\n",
    ).up()
    url = f"http://app:{value}@db"

    assert stage.run("web", "printenv", "URL")[1] == f"{url}\n"
    assert stage.run("web", "printenv", "URL", user="root")[1] == f"{url}\n"
    assert stage.run("web", "printenv", "URL", env={"URL": "mine"})[1] == "mine\n"
    assert stage.run("web", "cat", "/data/main")[1] == url
    assert stage.run("web", "cat", "/data/hook")[1] == url
    output: list[bytes] = []
    execution = Execution(("printenv", "TOKEN"), stdout=output.append)
    assert stage.workspace().run(stage.target, "web", execution) == 0
    assert b"".join(output).decode() == f"{value}\n"
    assert "s3cret" not in stage.run("web", "ps", "axww", "-o", "args", user="root")[1]
    assert stage.up() == []

    stage.environ = {**stage.environ, "TOKEN": "another"}
    assert len(stage.up()) == 1
    assert stage.run("web", "printenv", "URL")[1] == "http://app:another@db\n"
    facts = stage.workspace().facts(stage.target)
    assert facts.units["web"]["environment"]["URL"].startswith("digest ")
    assert facts.units["web"]["environment"]["COLOUR"] == "blue"
    assert "another" not in str(facts)


def test_logs_come_in_order_with_both_streams(stage):
    stage.spec("""
        web: {command: [sleep, infinity]}
        talker:
          command: [sh, -c, "for i in 1 2 3; do echo line $i; echo warn $i >&2; done; exec sleep infinity"]
          healthcheck: {command: ["true"], start_period: 5s}
    """).up()

    # Others of this name have run before, and a machine's journal remembers.
    lines = list(stage.workspace().logs(stage.target, ["talker"]))

    assert [line.text for line in lines if line.stream == "stdout"] == [
        "line 1",
        "line 2",
        "line 3",
    ]
    assert [line.text for line in lines if line.stream == "stderr"] == [
        "warn 1",
        "warn 2",
        "warn 3",
    ]
    assert {line.unit for line in lines} == {"talker"}
    assert len(list(stage.workspace().logs(stage.target, ["talker"], tail=2))) == 2


def test_logs_are_told_between_two_moments(stage):
    stage.spec("""
        web: {command: [sleep, infinity]}
        clock:
          command: [sh, -c, "for i in 1 2 3 4; do echo tick $i; sleep 1.5; done; touch /tmp/over; exec sleep infinity"]
          healthcheck: {command: [test, -e, /tmp/over], start_period: 60s}
    """).up()
    times = {
        line.text: datetime.fromisoformat(line.time[:23]).replace(tzinfo=UTC).timestamp()
        for line in stage.workspace().logs(stage.target, ["clock"])
    }
    assert list(times) == [f"tick {number}" for number in (1, 2, 3, 4)]

    def told(**options):
        lines = stage.workspace().logs(stage.target, ["clock"], **options)
        return [line.text.removeprefix("tick ") for line in lines]

    second, third = times["tick 2"], times["tick 3"]
    assert told(since=second - 0.5) == ["2", "3", "4"]
    assert told(until=third + 0.5) == ["1", "2", "3"]
    assert told(since=second - 0.5, until=third + 0.5) == ["2", "3"]
    assert told(since=second - 0.5, tail=2) == ["3", "4"]
    assert told(until=third + 0.5, tail=2) == ["2", "3"]
    assert told(since=time.time() + 60) == []
    since = datetime.fromtimestamp(third - 0.5, UTC).isoformat()
    target = f"dev@{stage.backend}"
    with stage.start("logs", "-f", target, "clock", "--since", since) as process:
        assert process.stdout.readline() == "clock | tick 3\n"
        wait_for(process, "tick 4")
        process.terminate()


WORDY = r"""
import os, subprocess, sys
os.write(1, b"\n  indented \n\n")
os.write(1, b"x" * 5000 + b"\n" + b"y" * 200000 + b"\n")
os.write(1, b"caf\xc3\xa9 \xff\tbad\n")
for number in range(200):
    subprocess.run(["sh", "-c", f"echo short {number}"])
with open("/dev/stdout", "w") as again:
    again.write("opened\n")
os.write(1, b"no end")
"""


def test_no_line_is_lost_or_cut_however_long_empty_or_short_lived_its_writer(stage):
    stage.clear()
    (stage.root / "live" / "wordy.py").write_text(WORDY)
    spec = "wordy: {kind: task, command: [python3, /srv/live/wordy.py, NUMBER]}"
    stage.spec(spec.replace("NUMBER", "'1'")).up()

    def logged(**options):
        return [line.text for line in stage.workspace().logs(stage.target, ["wordy"], **options)]

    wanted = [
        "", "  indented ", "", "x" * 5000, "y" * 200000, "caf\u00e9 \ufffd\tbad",
        *(f"short {number}" for number in range(200)), "opened", "no end",
    ]  # fmt: skip
    assert logged() == wanted
    assert logged(tail=3) == wanted[-3:]
    assert logged(tail=len(wanted) - 3) == wanted[3:]

    # A task that runs again is another: what it logged before is not its own.
    stage.spec(spec.replace("NUMBER", "'2'")).up()
    assert logged() == wanted


def test_logs_that_are_followed_go_on_through_a_replaced_unit_and_end_with_it(stage):
    spec = """
        web: {command: [sleep, infinity]}
        told: {command: [sh, -c, "echo it is $WORD; exec sleep infinity"], env: {WORD: %s}}
    """
    stage.spec(spec % "first").up()
    with stage.start("logs", "-f", f"dev@{stage.backend}", "told") as process:
        wait_for(process, "it is first")
        for word in ("second", "third"):
            stage.spec(spec % word).up()
            wait_for(process, f"it is {word}")
        assert process.poll() is None
        stage.clear()
        assert process.wait(60) == 0
        assert process.stdout.read() == ""


def test_a_failed_service_is_reported_with_its_last_log_lines(stage):
    stage.spec("""
        web: {command: [sleep, infinity]}
        failing: {command: [sh, -c, "echo cannot find the config >&2; exit 4"]}
    """)

    with pytest.raises(EnvctlError, match="it exited with exit code 4") as caught:
        stage.up()

    assert "cannot find the config" in caught.value.details


def test_a_process_that_crashes_is_started_again_if_the_spec_says_so(stage):
    stage.spec("""
        web:
          command: [sh, -c, "if [ -e /data/once ]; then exec sleep 987654; fi; touch /data/once; exit 1"]
          restart: on-failure
          healthcheck: {command: [pgrep, -f, "^sleep 987654"], start_period: 20s}
    """)

    stage.up()

    assert stage.states() == {"web": "running"}


def test_a_probe_is_asked_by_one_at_a_time_and_no_more_often_than_the_spec_says(stage):
    """An application may migrate its database in its first request: whoever asks, asks alone."""
    log = "/data/asked"
    thrice = f"until [ $(wc -l <{log}) -ge 6 ]; do sleep 0.2; done"
    start = f"rm -f /tmp/ready; : >{log}; {thrice}; touch /tmp/ready; exec sleep infinity"
    test = f"date +%s.%N >>{log}; sleep 0.3; date +%s.%N >>{log}; test -e /tmp/ready"
    times = {"interval": "4s", "start_interval": "1s", "start_period": "60s"}
    stage.clear()
    stage.spec(json.dumps({"slow": {"command": start, "healthcheck": {"command": test, **times}}}))
    stage.up()
    healthy = time.time()
    for _ in range(4):
        stage.states()
    assert stage.workspace().verify(stage.target).findings == []
    # More than two intervals: that nobody asks in between shows in the time alone.
    time.sleep(max(0.0, healthy + 9 - time.time()))

    noted = [float(line) for line in stage.run("slow", "cat", log)[1].split()]
    begun, ended = noted[::2], noted[1::2]
    pauses = [after - before for before, after in zip(ended, begun[1:], strict=False)]
    first = sum(one <= healthy for one in begun)
    assert all(pause >= 0.9 for pause in pauses), "two at once, or too soon"
    assert all(pause >= 3.8 for pause in pauses[first - 1 :]), "more often than the interval"
    assert min(pauses[: first - 1]) < 3.8, "no more often than the interval while it starts"
    stage.clear()


AWKWARD = [
    "", " ", "'", '"', "`id`", "$HOME", "${HOME}", "$(id)", "#x", "{{ x }}", "${{ x }}", "-rf", "--help",
    "a\nb", "tab\there", "back\\slash", "\\n", "trailing\\", "ünïcödé ☃ 🦆", "%s", "!x", "&& id", "; id", "*",
    "~", "[a]", "a=b", "$$", "<<EOF", "\r", "%n", "\x01",
]  # fmt: skip


ODD = 'it\'s a "$HOME" `id` #é ☃'
"""A name for files and folders."""


def spelled(text):
    """The text as a spec has to spell it: `$` doubled where it would mean something."""
    return text.replace("$", "$$") if "${" in text or "$$" in text else text


def test_awkward_values_arrive_exactly_and_nothing_is_executed(stage):
    env = {f"V{number}": spelled(value) for number, value in enumerate(AWKWARD)}
    script = (
        "import json,os,sys;"
        "print(json.dumps([sys.argv[1:],{k:v for k,v in os.environ.items() if k[0]=='V' and k[1:].isdigit()}]),flush=True);"
        "import time;time.sleep(1e6)"
    )
    service = {"command": ["python3", "-c", script, *map(spelled, AWKWARD)], "env": env}
    idle = {"command": ["sleep", "infinity"]}
    stage.spec(json.dumps({"web": idle, "awkward": service}, ensure_ascii=False)).up()

    for _ in range(100):
        text = "".join(line.text for line in stage.workspace().logs(stage.target, ["awkward"]))
        if text:
            break
    argv, seen = json.loads(text)
    assert argv == AWKWARD
    assert seen == {f"V{number}": value for number, value in enumerate(AWKWARD)}


@pytest.mark.long
def test_awkward_values_arrive_in_builds_files_probes_and_hooks_too(project):
    note = "import json,sys;json.dump(sys.argv[2:],open(sys.argv[1],'w'))"
    words = [spelled(value) for value in AWKWARD]
    project.write(f"src/{ODD}/{ODD}.txt", ODD)
    project.write(f"{ODD}.j2", "{{ text }}")
    project.write("live/page", "live")
    service = {
        "packages": ["python3"],
        "build": [
            {"copy": {"from": f"src/{ODD}", "to": f"/srv/{ODD}/"}},
            {"copy": {"from": f"src/{ODD}/{ODD}.txt", "to": f"/srv/{ODD}.copy"}},
            {"template": {"from": f"{ODD}.j2", "to": f"/srv/{ODD}.made", "values": {"text": "".join(words)}}},
            {"run": {"command": ["python3", "-c", note, "built", *words], "workdir": f"/srv/{ODD}"}},
            {"run": {"command": ["sh", "-c", 'printf %s "$V" > /built.env'], "env": {"V": "".join(words)}}},
        ],
        "workdir": f"/srv/{ODD}",
        "mounts": {"./live": f"/mnt/{ODD}"},
        "volumes": {"data": f"/data/{ODD}"},
        "command": ["sleep", "infinity"],
        "user": "root",
        "healthcheck": {"command": ["python3", "-c", note, "/probed", *words], "interval": "1s"},
        "hooks": {"after_start": [["python3", "-c", note, "/hooked", *words]]},
    }  # fmt: skip
    project.spec("web: " + json.dumps(service, ensure_ascii=False))
    project.up()

    def content(path):
        return project.run("web", "cat", path)[1]

    assert project.run("web", "pwd")[1] == f"/srv/{ODD}\n"
    assert content(f"/srv/{ODD}/{ODD}.txt") == content(f"/srv/{ODD}.copy") == ODD
    assert content(f"/srv/{ODD}.made") == content("/built.env") == "".join(AWKWARD)
    for file in (f"/srv/{ODD}/built", "/probed", "/hooked"):
        assert json.loads(content(file)) == AWKWARD
    assert content(f"/mnt/{ODD}/page") == "live"
    assert project.run("web", "mountpoint", f"/data/{ODD}")[0] == 0
    assert project.up() == []


def test_what_a_service_writes_into_the_project_belongs_to_the_owner_of_the_project(project):
    code = project.root / "code"
    code.mkdir()
    if os.geteuid() == 0:
        for folder in (project.root, code):
            os.chown(folder, 12345, 23456)
    project.spec("""
        web:
          command: [sh, -c, "touch /srv/code/started; exec sleep infinity"]
          mounts: {./code: /srv/code}
          volumes: {modules: /srv/code/modules}
          hooks: {after_start: [[touch, /srv/code/hooked]]}
          healthcheck: {command: [test, -e, /srv/code/started]}
    """).up()

    assert project.run("web", "sh", "-c", "id -un; mkdir -p /srv/code/a/b") == (0, "web\n", "")
    assert project.run("web", "touch", "/srv/code/root", user="root")[0] == 1

    found = {path.name: path.stat() for path in code.rglob("*")}
    owner = project.root.stat()
    assert sorted(found) == ["a", "b", "hooked", "modules", "started"]
    assert {(file.st_uid, file.st_gid) for file in found.values()} == {(owner.st_uid, owner.st_gid)}
