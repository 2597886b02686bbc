"""A toy backend: each unit is a process of this host, in its own folder."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from envctl.backends.base import Capabilities, Context, Execution, LogLine, NotRunningError
from envctl.backends.common import probe
from envctl.errors import Place, Problem
from envctl.host.private_state import private_folder, state_path
from envctl.plan.artifact import Artifact, Quoted
from envctl.plan.changes import Action, Change
from envctl.plan.digest import run_text
from envctl.plan.model import Plan, ReadyImage, Unit
from envctl.plan.state import Observed, Status, UnitState
from envctl.plan.text import argv_text

_RUN = '"$@"; echo $? >exit.new; mv exit.new exit'


class ProcessBackend:
    """One environment as processes of this host."""

    name = "procs"
    capabilities = Capabilities()

    def __init__(self, context: Context) -> None:
        self.root, self.environment = Path(context.scope.root), context.scope.environment
        self.folder = state_path(self.root, self.name, self.environment)

    def problems(self, plan: Plan) -> Sequence[Problem]:
        """It builds nothing and isolates nothing."""
        message, expected = "the procs backend runs commands of this host only", "image: host"
        return tuple(
            Problem(unit.where or Place("envctl.yaml", 1, 1), message, expected)
            for unit in plan.units
            if not isinstance(unit.source, ReadyImage) or unit.run.volumes or unit.run.mounts
        )

    def check(self) -> None:
        """Check nothing: this backend needs no engine."""

    def artifacts(self, plan: Plan, *, trust: Path | None = None) -> Sequence[Artifact]:
        """A script that starts everything. Templates may output only quoted text."""
        del trust
        commands = [Quoted(argv_text(unit.run.process.argv or ())) for unit in plan.units]
        return (Artifact("start.sh", "procs/start.sh.j2", {"commands": commands}, mode=0o755),)

    def observe(self, plan: Plan | None = None) -> Observed:
        """A unit's folder records what it was made for; its lock is held while it runs."""
        del plan
        return Observed(
            {file.parent.name: _state(file) for file in self.folder.glob("*/unit.json")}
        )

    def apply(self, change: Change) -> None:
        """Stop the process, then start it as planned: after a crash, doing it again converges."""
        folder = private_folder(self.root, self.name, self.environment) / change.unit
        if _is_locked(folder):
            os.killpg(json.loads((folder / "unit.json").read_text())["pid"], signal.SIGKILL)
            _is_locked(folder, wait=True)
        if change.action is Action.STOP:
            (folder / "stopped").touch()
        elif change.action is Action.REMOVE:
            shutil.rmtree(folder, ignore_errors=True)
        elif isinstance(change.target, Unit):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _start(folder, change.target)

    def probe(self, unit: Unit) -> tuple[bool, str]:
        """Run the test on this host."""
        assert unit.run.probe is not None
        output: list[bytes] = []
        code = self.exec(unit.name, Execution(probe.test(unit.run.probe), stdout=output.append))
        return code == 0, b"".join(output).decode(errors="replace")

    def exec(self, unit: str, execution: Execution) -> int:
        """Run a command in the unit's folder."""
        if not _is_locked(self.folder / unit):
            raise NotRunningError(f"{unit} is not running", hint="`envctl up` starts it")
        env = {**os.environ, **execution.env}
        ended = subprocess.run(execution.argv, cwd=self.folder / unit, env=env, capture_output=True)
        for write, output in ((execution.stdout, ended.stdout), (execution.stderr, ended.stderr)):
            if write:
                write(output)
        return ended.returncode

    def logs(
        self, units: Sequence[str], *, follow: bool = False, tail: int | None = None,
        since: float | None = None, until: float | None = None,
    ) -> Iterator[LogLine]:  # fmt: skip
        """The output of the processes so far, without times."""
        del follow, since, until
        for log in (self.folder / unit / "log" for unit in units):
            lines = log.read_text().splitlines() if log.exists() else []
            yield from (LogLine(log.parent.name, line) for line in lines[-tail if tail else 0 :])

    def close(self) -> None:
        """Nothing to close."""


def _start(folder: Path, unit: Unit) -> None:
    argv, env = unit.run.process.argv or ("true",), {**os.environ, **unit.run.process.env}
    with (folder / "lock").open("w") as lock, (folder / "log").open("w") as log:
        # The process inherits the lock: it is held for as long as the process lives.
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ("/bin/sh", "-c", _RUN, "sh", *argv)
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=(lock.fileno(),), start_new_session=True,
        )  # fmt: skip
    process.returncode = 0  # it outlives this program, which does not wait for it
    image = unit.source.image if isinstance(unit.source, ReadyImage) else ""
    record = {"pid": process.pid, "service": unit.service, "image": image}
    (folder / "unit.new").write_text(json.dumps({**record, "run": run_text(unit.run)}))
    (folder / "unit.new").replace(folder / "unit.json")  # others may be reading it


def _is_locked(folder: Path, *, wait: bool = False) -> bool:
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _state(file: Path) -> UnitState:
    folder, record = file.parent, json.loads(file.read_text())
    code = int((folder / "exit").read_text()) if (folder / "exit").exists() else None
    status = Status.STOPPED if (folder / "stopped").exists() else Status.EXITED
    status = Status.RUNNING if _is_locked(folder) else status
    pid = str(record.pop("pid"))
    return UnitState(folder.name, status=status, exit_code=code, id=pid, **record)
