"""Runs killed at points spread over their whole life: the next `up` converges, and `down` leaves nothing.

A round goes through a unit's whole life, and kills one run of each verb: `up` from nothing, `stop`, `up` after a
change, `down`, and `down --volumes`. A first round that kills nothing tells how long each takes and what it says.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.machines import NOTHING, left_of
from tests.support.project import Project

# The unit's process forgets that its hook ran, so that whoever starts it has to run the hook again.
_STAY = '[sh, -c, "rm -f /tmp/hooked /tmp/hooked-first; exec sleep infinity"]'
_AFTER = '["sleep 0.3; touch /tmp/hooked-first", "sleep 0.3; test -e /tmp/hooked-first && touch /tmp/hooked"]'

CONTAINERS = f"""
db:
  command: {_STAY}
  user: games
  volumes: {{data: /data}}
  secrets: [token, given]
  build: [run: "sleep 1; echo db > /kind # NAME"]
  healthcheck: {{command: [test, -e, /kind], interval: 1s}}
  hooks: {{after_start: {_AFTER}, before_stop: ["sleep 0.3; echo stopped >>/data/log"]}}
job:
  kind: task
  user: games
  command: "sleep 1; echo done >>/data/jobs"
  volumes: {{data: /data}}
  build: [run: "sleep 1; echo db > /kind # NAME"]
  depends_on: [db]
web:
  command: {_STAY}
  user: games
  replicas: 2
  volumes: {{data: /data, own: /own}}
  secrets: [token]
  env: {{ROUND: "one"}}
  build: [run: "sleep 1; echo web > /kind # NAME"]
  hooks: {{after_start: {_AFTER}, before_stop: ["echo stopped >>/own/log"]}}
  depends_on: [db, job]
"""
MACHINES = f"""
db:
  command: {_STAY}
  user: games
  volumes: {{data: /data}}
  secrets: [token, given]
  healthcheck: {{command: [test, -d, /data], interval: 1s, start_period: 5m}}
  env: {{ROUND: "one"}}
  hooks: {{after_start: {_AFTER}, before_stop: ["sleep 0.3; echo stopped >>/data/log"]}}
job:
  kind: task
  command: [sleep, "1"]
  user: games
  depends_on: [db]
"""
"""Made from the base as it is: test_machines_interrupted.py kills runs while they make a disk, for minutes each."""
TOP = "secrets: {token: {generate: 16}, given: {env: KILLS_GIVEN}}\n"
_STATES = {
    "docker": {"db": "running", "job": "completed", "web": "running", "web-2": "running"},
    "vagrant": {"db": "running", "job": "completed"},
}
VERBS: tuple[tuple[str, ...], ...] = (
    ("up", "dev"),
    ("stop", "dev"),
    ("up", "dev", "changed"),
    ("down", "dev"),
    ("down", "dev", "--volumes"),
)
"""What is killed, in the order of a round; the second `up` is one after a change of the spec."""

_TIMEOUT = 3600
_LINES = 6
"""A run that says less is killed by time."""


@dataclass(frozen=True)
class Life:
    """An uninterrupted run: how long it took, and how many lines it said."""

    seconds: float
    lines: int


@dataclass
class Harness:
    """A project whose runs are killed, and what came of it."""

    project: Project
    engine: Any
    lives: dict[tuple[str, ...], Life] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    """What was killed and when, in words."""
    late: list[str] = field(default_factory=list)
    """Runs that had ended before they could be killed: these are no kills."""
    failures: list[str] = field(default_factory=list)
    """What was wrong after which kill."""
    rounds: int = 0
    marks: int = 0
    """How many were left in the volume."""

    def round(self, share: float | None = None, *, by_line: bool = False) -> None:
        """Go through a life once, and kill each run when this share of it is over, by time or by what it says."""
        self.rounds += 1
        self._write("one")
        for verb in VERBS:
            if "changed" in verb:
                self._write("two")
            what = self._killed(verb, share, by_line=by_line)
            try:
                if "--volumes" in verb:
                    self._leaves_nothing()
                else:
                    self._converges()
            except AssertionError as error:
                self.failures.append(f"{what}: {error}")
                self._start_anew()

    def _write(self, word: str) -> None:
        spec = CONTAINERS if self.project.backend == "docker" else MACHINES
        spec = spec.replace("NAME", f"{self.project.name}-{self.rounds}")
        self.project.environ = {**self.project.environ, "KILLS_GIVEN": "given from outside"}
        self.project.spec(spec.replace('"one"', f'"{word}"'), top=TOP)

    def _killed(self, verb: tuple[str, ...], share: float | None, *, by_line: bool) -> str:
        """Run a verb, and kill it; in words, what was done."""
        argv = [word for word in verb if word != "changed"]
        what = " ".join(verb)
        if share is None:
            self._measured(verb, argv)
            return f"{what}, left alone"
        life = self.lives[verb]
        # Some say no more than what they are about to do.
        by_line = by_line and life.lines >= _LINES
        point = f"line {round(life.lines * share)}" if by_line else f"{life.seconds * share:.2f} s"
        what = f"round {self.rounds}: {what} killed at {point}"
        with self.project.start(*argv) as process:
            if by_line:
                _read(process, round(life.lines * share))
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=life.seconds * share)
            process.kill()
            process.wait()
            (self.killed if process.returncode == -signal.SIGKILL else self.late).append(what)
        return what

    def _measured(self, verb: tuple[str, ...], argv: list[str]) -> None:
        started = time.monotonic()
        with self.project.start(*argv) as process:
            output, _ = process.communicate(timeout=_TIMEOUT)
        assert process.returncode == 0, output
        self.lives[verb] = Life(time.monotonic() - started, len(output.splitlines()))

    # --- what must be so

    def _converges(self) -> None:
        """Bring the environment up; it is whole, its hooks ran, and nothing else is there."""
        done = self.project.cli("up", "dev", timeout=_TIMEOUT)
        assert done.returncode == 0, f"up failed:\n{done.stdout}\n{done.stderr}"
        expected = _STATES[self.project.backend]
        states = self.project.states()
        assert states == expected, f"states {states}"
        for unit in expected:
            if unit != "job":
                look = "cat /run/secrets/token; ls /tmp/hooked"
                code, out, err = self.project.run(unit, "sh", "-c", look)
                assert code == 0, f"after_start of {unit} did not run: {out}{err}"
                assert len(out.partition("/")[0]) == 16, f"the secret of {unit} is {out!r}"
        planned = self.project.cli("plan", "dev", "--exit-code")
        assert planned.returncode == 0, f"plan: {planned.stdout}{planned.stderr}"
        self._data_is_kept()
        self._nothing_besides(expected)

    def _data_is_kept(self) -> None:
        """What was in the volume is still there; it is as old as this round."""
        mark = f"round {self.rounds}"
        done = self.project.run("db", "sh", "-c", f"echo '{mark}' >>/data/marks; cat /data/marks")
        marks = done[1].splitlines()
        self.marks += 1
        assert marks == [mark] * self.marks, f"the volume has {marks}, and not {self.marks} marks"

    def _nothing_besides(self, expected: Mapping[str, str]) -> None:
        if self.project.backend == "docker":
            there = labelled(self.engine, self.project)
            units = sorted(name for name in there["units"] if name)
            assert units == sorted(expected), f"containers {units}"
            assert len(there["networks"]) == 1, f"networks {there['networks']}"
            # envctl's own, of secrets and of hooks that ran, have a dot in their names; `down` takes them along.
            names = [name.rpartition("_")[2] for name in there["volumes"]]
            volumes = sorted(name for name in names if "." not in name)
            assert volumes == ["data", "own"], f"volumes {volumes}"
        else:
            domains = sorted(name.rpartition("_")[2] for name in left_of(self.project)["domains"])
            assert domains == sorted(expected), f"domains {domains}"

    def _leaves_nothing(self) -> None:
        done = self.project.cli("down", "dev", "--volumes")
        assert done.returncode == 0, f"down failed:\n{done.stdout}\n{done.stderr}"
        self.marks = 0
        there: Mapping[str, Any] = labelled(self.engine, self.project)
        assert not any(there.values()), f"left: {there}"
        left = left_of(self.project)
        assert left == NOTHING, f"left: {left}"
        temporary = [str(path) for path in _temporary(self.project)]
        assert not temporary, f"left: {temporary}"

    def _start_anew(self) -> None:
        """After a failure, take everything down, so that it is told once."""
        self.project.cli("down", "dev", "--volumes")
        self.marks = 0


def _read(process: subprocess.Popen[str], lines: int) -> None:
    assert process.stdout is not None
    for _ in range(lines):
        if not process.stdout.readline():
            return


def labelled(engine: Any, project: Project) -> dict[str, list[Any]]:
    """What an engine has of a project, images apart."""
    label = {"label": f"dev.envctl.project={project.name}"}
    containers = engine.api.containers(all=True, filters=label)
    return {
        "containers": [one["Names"] for one in containers],
        "units": [one["Labels"].get("dev.envctl.unit") for one in containers],
        "networks": [one["Name"] for one in engine.api.networks(filters=label)],
        "volumes": [one["Name"] for one in engine.api.volumes(filters=label)["Volumes"] or []],
    }


def _temporary(project: Project) -> list[Path]:
    """Files that a run writes before it gives them their name."""
    return [path for path in project.root.rglob("*") if path.suffix in (".tmp", ".new", ".part")]


def told(harness: Harness) -> str:
    """The totals, and what failed."""
    totals = (
        f"{len(harness.killed)} kills in {harness.rounds} rounds on {harness.project.backend},"
        f" {len(harness.late)} runs ended before theirs, {len(harness.failures)} failures"
    )
    lines = [
        totals,
        *(
            f"  {' '.join(verb)}: {life.seconds:.1f} s, {life.lines} lines"
            for verb, life in harness.lives.items()
        ),
        *(f"- {failure}" for failure in harness.failures),
    ]
    return "\n".join(lines)


Reporter = Callable[[str], None]


def kill_runs(harness: Harness, rounds: int, report: Reporter = print) -> None:
    """Kill so many rounds of runs, at points spread evenly over their lives; every second one by what it says."""
    harness.round()
    for number in range(rounds):
        harness.round((number + 0.5) / rounds, by_line=number % 2 == 1)
        report(f"round {number + 1} of {rounds}: {told(harness)}")
