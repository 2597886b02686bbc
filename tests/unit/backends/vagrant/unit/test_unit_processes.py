"""The processes of a unit, read from /proc: with this machine's own processes in the place of a unit's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit import unit_processes
from envctl.backends.vagrant.unit.unit_paths import UnitPaths


class ThisHost:
    """Runs scripts here; the file with the unit's processes is another."""

    def __init__(self, listing: Path) -> None:
        self.listing = listing

    def run(self, script: str) -> str:
        script = script.replace(UnitPaths("web").processes, str(self.listing))
        return subprocess.run(
            ["sh", "-c", script], check=True, capture_output=True, text=True
        ).stdout


def processes(listing: Path) -> Any:
    return unit_processes.processes("web", {}, cast("SshMachine", ThisHost(listing)))


def test_processes_are_reported_with_user_memory_time_and_command(tmp_path: Path) -> None:
    listing = tmp_path / "procs"
    # Its arguments look like what the script prints.
    argv = [sys.executable, "-c", "input()", "x\nPid: 1", "(a) b"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        listing.write_text(f"{child.pid}\n999999999\n")
        (process,) = processes(listing)
        child.communicate(b"\n")

    assert process.pid == child.pid
    assert process.user == Path("/proc/self").stat().st_uid
    assert process.memory > 100_000
    assert process.time.startswith("00:00:")
    assert process.command.endswith("x Pid: 1 (a) b")


def test_a_unit_that_does_not_run_has_none(tmp_path: Path) -> None:
    assert processes(tmp_path / "nothing") == []
