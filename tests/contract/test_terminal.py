"""`shell` and `exec` on a terminal: keys, size, signals and exit codes go through."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import ExitStack

import pytest

from tests.support.project import TREE

pytestmark = pytest.mark.executes

PATIENCE = 30.0


class Terminal:
    """A command line on a terminal of its own, 100 columns by 30 lines."""

    def __init__(self, project, *argv: str) -> None:
        self.screen, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "envctl", *argv],
            cwd=project.root,
            env={**project.environ, "PYTHONPATH": str(TREE), "TERM": "xterm"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def expect(self, text: str) -> None:
        """Wait until the screen shows the text after what was expected before."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.seen!r}"
            if select.select([self.screen], [], [], 1)[0]:
                self.seen += self._read()
        self.seen = self.seen.partition(text.encode())[2]

    def _read(self) -> bytes:
        try:
            return os.read(self.screen, 4096)
        except OSError:
            return b""

    def ended(self) -> int:
        """The exit code; the process has to end by itself."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.seen!r}"
            if select.select([self.screen], [], [], 0.2)[0]:
                self.seen += self._read()
        return self.process.returncode

    def close(self) -> None:
        """End what a failed test has left."""
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


@pytest.fixture
def idle(stage):
    stage.spec("web: {command: [sleep, infinity]}").up()
    return stage


@pytest.fixture
def terminal_of():
    """A command line on a terminal, gone with the test."""
    with ExitStack() as stack:

        def made(project, *argv: str) -> Terminal:
            terminal = Terminal(project, *argv)
            stack.callback(terminal.close)
            return terminal

        yield made


def test_exec_on_a_terminal_has_its_size_and_passes_the_exit_code_on(idle, terminal_of):
    target = f"dev@{idle.backend}"
    # The engine sets the size a moment after the start.
    script = 'tty; while [ "$(stty size)" = "0 0" ]; do sleep 0.1; done; stty size; read -r word; echo got $word; exit 5'
    terminal = terminal_of(idle, "exec", target, "web", "--", "sh", "-c", script)
    terminal.expect("/dev/pts/")
    terminal.expect("30 100")
    terminal.type("a word\n")
    terminal.expect("got a word")

    assert terminal.ended() == 5


def test_a_shell_takes_keys_and_control_c_ends_what_runs_in_it_only(idle, terminal_of):
    terminal = terminal_of(idle, "shell", f"dev@{idle.backend}", "web")
    terminal.type("echo $((6 * 7))-ready\n")
    terminal.expect("42-ready")
    # The program says itself that it runs: a key that comes while the shell still starts it is the shell's.
    terminal.type("sh -c 'echo $((6 * 9))-sleeping; exec sleep 300'\n")
    terminal.expect("54-sleeping")
    terminal.type("\x03")
    terminal.type("echo $((6 * 8))-after; exit 3\n")
    terminal.expect("48-after")

    assert terminal.ended() == 3


def test_without_a_terminal_exec_is_a_filter(idle):
    target = f"dev@{idle.backend}"
    done = subprocess.run(
        [sys.executable, "-m", "envctl", "exec", target, "web", "--", "sort"],
        cwd=idle.root,
        env={**idle.environ, "PYTHONPATH": str(TREE)},
        input=b"b\na\n",
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\nb\n", b"")
