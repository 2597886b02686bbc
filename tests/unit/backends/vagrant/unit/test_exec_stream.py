"""Commands in a machine heard until they have ended, by real shells on this host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envctl.backends.base import Execution
from envctl.backends.common.termination import VARIABLE
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit import exec_stream
from envctl.backends.vagrant.unit.exec_stream import EndMarkWriter, around
from envctl.errors import EnvctlError

pytestmark = pytest.mark.slow

SSH = """
import os, subprocess, sys, threading
def relay(source, target):
    while data := os.read(source.fileno(), 65536):
        os.write(target, data)
inside = subprocess.Popen(["sh", "-c", sys.argv[-1]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
streams = [threading.Thread(target=relay, args=a) for a in ((inside.stdout, 1), (inside.stderr, 2))]
for one in streams: one.start()
code = inside.wait()
for one in streams: one.join()
os._exit(code if code >= 0 else 255)
"""
MARK = "0123456789abcdef01234567"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose ssh runs what it is told here, and ends when nobody has its streams any more."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{SSH}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = SshMachine("web", tmp_path / "key", tmp_path / "known", "192.0.2.1")
    made.control.touch()
    return made


def run(machine, script, **options):
    """Exit code, output and errors of a script."""
    out, err = [], []
    given_to = {"stdout": out.append, "stderr": err.append, **options}
    execution = Execution(("sh", "-c", script), **given_to)

    def text(mark):
        return f"exec env {VARIABLE}={mark} sh -c '{script}'"

    code = exec_stream.run("web", machine, execution, text)
    return code, b"".join(out), b"".join(err)


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("echo out; echo err >&2; exit 7", (7, b"out\n", b"err\n")),
        ("printf out; printf err >&2", (0, b"out", b"err")),
        ("kill -9 $$", (137, b"", b"")),
        ("kill -TERM $$", (143, b"", b"")),
        ("exit 255", (255, b"", b"")),
        ("exec 2>&-; exec >&-", (0, b"", b"")),
    ],
)
def test_a_command_ends_with_what_a_shell_says_of_it_and_nothing_more(machine, script, ended):
    assert run(machine, script) == ended


def test_what_a_command_leaves_running_is_not_waited_for(machine):
    before = time.monotonic()
    code, out, _ = run(machine, "sleep 98771 & echo $!")
    assert code == 0
    assert time.monotonic() - before < 20
    os.kill(int(out), signal.SIGKILL)


def test_all_that_was_printed_before_the_end_has_come(machine):
    script = "sleep 98772 & echo $!; head -c 1000000 /dev/zero; head -c 200000 /dev/zero >&2"
    code, out, err = run(machine, script)
    process, zeros = out.split(b"\n")
    assert (code, len(zeros), len(err)) == (0, 1_000_000, 200_000)
    os.kill(int(process), signal.SIGKILL)


@pytest.mark.parametrize("script", ["sleep NUMBER & setsid sleep NUMBER; wait", "yes NUMBER"])
def test_a_command_whose_time_is_over_is_ended_with_all_that_it_started(machine, script):
    # Other runs of these tests may go on beside this one.
    number = f"98773{os.getpid()}"
    with pytest.raises(EnvctlError, match=r"did not finish within 0\.5 s") as caught:
        run(machine, script.replace("NUMBER", number), timeout=0.5)
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert caught.value.hint.startswith("it was killed")
    assert subprocess.run(["pgrep", "-f", number], check=False).returncode == 1


def test_a_command_that_cannot_be_ended_is_reported_as_still_running(machine, monkeypatch):
    def broken(*_, **__):
        raise EnvctlError("no answer")

    monkeypatch.setattr(SshMachine, "run", broken)
    with pytest.raises(EnvctlError) as caught:
        run(machine, "exec sleep 1", timeout=0.2)
    assert caught.value.hint.startswith("it could not be killed and still runs inside")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_ends_the_command(machine, stream):
    def gone(_data):
        raise BrokenPipeError("nobody reads")

    redirect = ">&2" if stream == "stderr" else ""
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        run(machine, f"yes 98774 {redirect}", **{stream: gone})
    assert subprocess.run(["pgrep", "-f", "yes 98774"], check=False).returncode == 1


def test_a_connection_that_is_lost_is_no_exit_code_of_the_command(machine, tmp_path):
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(EnvctlError, match="the connection to its machine was lost"):
        run(machine, "true")


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([MARK[:n].encode() for n in (1, 8, 23)])),
    st.integers(0, 255) | st.none(),
    st.integers(1, 9),
)
def test_what_comes_before_the_mark_passes_whole_however_it_is_cut(parts, code, size):
    content = b"".join(parts)
    # The mark is random: no program can write it before its end.
    assume((content + MARK.encode()).index(MARK.encode()) == len(content))
    passed, ends = [], []
    told = b"" if code is None else str(code).encode()
    marked = EndMarkWriter(MARK, passed.append, lambda: ends.append(1))
    stream = content + MARK.encode() + told + b"\n" + b"later"

    for start in range(0, len(stream), size):
        marked(stream[start : start + size])
    marked.flush()

    assert b"".join(passed) == content
    assert (marked.code, marked.ended, ends) == (code, True, [1])


@given(st.binary(max_size=60), st.integers(1, 9))
def test_a_stream_without_a_mark_passes_whole(content, size):
    passed = []
    marked = EndMarkWriter(MARK, passed.append, lambda: None)
    for start in range(0, len(content), size):
        marked(content[start : start + size])
    marked.flush()
    assert (b"".join(passed), marked.code, marked.ended) == (content, None, False)


def test_the_mark_stands_nowhere_among_the_words_of_what_runs():
    script = around("ps", MARK)
    assert MARK not in script
    done = subprocess.run(["sh", "-c", around("exit 3", MARK)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (f"{MARK}3\n".encode(), f"{MARK}\n".encode())
