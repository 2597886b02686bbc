"""Interrupts at any moment, and standard streams that are closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TREE = Path(__file__).parents[3]
INTERRUPTED_AT = """
import os, signal, sys
from envctl.__main__ import main
module = sys.argv.pop(1)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(Finder)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
main()
"""
"""Python that is interrupted when it is about to import a module."""


def run(argv: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(TREE)}
    argv = [sys.executable, *argv]
    return subprocess.run(argv, env=environ, text=True, timeout=60, check=False, **how)


@pytest.mark.parametrize(
    "module",
    ["envctl.cli.commands", "envctl.cli.failure", "envctl.cli.front", "envctl.cli.declare",
     "envctl.cli.invocation", "envctl.project", "envctl.definition.resolve", "envctl.definition.form", "yaml", "json"],
)  # fmt: skip
def test_an_interrupt_while_modules_are_loaded_leaves_no_traceback(shop: Path, module: str) -> None:
    done = run(["-c", INTERRUPTED_AT, module, "validate"], capture_output=True)
    assert done.returncode in (-signal.SIGINT, 130)
    assert done.stderr in ("", "\ninterrupted; run the command again to continue\n")


@pytest.mark.parametrize("kind", ["ImportError", "BaseException"])
def test_an_interrupt_of_which_a_module_makes_another_error_is_an_interrupt(
    shop: Path, kind: str
) -> None:
    """A module in Rust that imports another one turns the exception into a panic."""
    made_of_it = f"""            try:
                os.kill(os.getpid(), signal.SIGINT)
                while True: pass
            except KeyboardInterrupt:
                raise {kind}("no such module") from None
"""
    script = INTERRUPTED_AT.replace("            os.kill(os.getpid(), signal.SIGINT)\n", made_of_it)
    done = run(["-c", script, "envctl.definition.resolve", "validate"], capture_output=True)
    assert done.returncode == 130
    assert done.stderr == "\ninterrupted; run the command again to continue\n"


def test_an_interrupt_at_any_moment_of_the_start_leaves_no_traceback_of_ours(shop: Path) -> None:
    argv = [sys.executable, "-m", "envctl", "status", "dev"]
    environ = {**os.environ, "PYTHONPATH": str(TREE)}
    for thousandths in range(20, 200, 12):
        process = subprocess.Popen(
            argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(thousandths / 1000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        # Before our first line there is Python's own start, which is not ours to guard.
        assert "/envctl/" not in err.replace("/envctl/__main__.py", "")
        assert process.returncode in (0, 1, 130, -signal.SIGINT)


def test_who_ignores_interrupts_is_not_ended_by_one(shop: Path) -> None:
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + INTERRUPTED_AT
    assert run(["-c", script, "envctl.project", "validate"], capture_output=True).returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("line", "code"),
    [("config dev", 0), ("status dev", 0), ("up dev", 0), ("validate", 0), ("nonsense", 2),
     ("config nowhere", 2), ("--version", 0), ("--help", 0)],
)  # fmt: skip
def test_a_closed_stream_is_nothing_to_fail_for(
    shop: Path, closed: str, line: str, code: int
) -> None:
    shell = f'exec "{sys.executable}" -m envctl {line} {closed}'
    environ = {**os.environ, "PYTHONPATH": str(TREE)}
    done = subprocess.run(
        ["/bin/sh", "-c", shell], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_stream_is_not_taken_by_the_next_file(shop: Path) -> None:
    script = "import os, sys; from envctl.cli import _open_closed_streams as o; o(); print(os.open('x', os.O_CREAT))"
    shell = f"'{sys.executable}' -c \"{script}\" <&- 2>&-"
    environ = {**os.environ, "PYTHONPATH": str(TREE)}
    done = subprocess.run(["/bin/sh", "-c", shell], env=environ, capture_output=True, check=False)
    assert done.stdout == b"3\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_device_is_reported(shop: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(["-m", "envctl", "config", "dev"], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_windows_is_told_to_use_wsl() -> None:
    script = (
        "import sys, runpy; sys.platform = 'win32'; runpy.run_module('envctl', run_name='__main__')"
    )
    done = run(["-c", script], capture_output=True)
    assert done.returncode == 1
    assert "use WSL" in done.stderr
    assert len(done.stderr.splitlines()) == 1
