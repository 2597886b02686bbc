"""Measures two commands in turn, so that a busy machine affects both equally."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Users have installed envctl, and the peers come from this environment's packages.
ENVIRON = {
    **{
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    },
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of a process with its children: wall time and CPU time (user and system) in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Command:
    """A whole process: its argv, its folder, and the preparation before each measurement."""

    argv: Sequence[str]
    folder: Path
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRON)
    before: Callable[[], object] = lambda: None

    def seconds(self) -> float:
        """Run it once; the wall time in seconds. RuntimeError with its output if it fails."""
        return self.usage().wall

    def usage(self) -> Usage:
        """Run it once; its cost. RuntimeError with its output if it fails."""
        self.before()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(
            self.argv, cwd=self.folder, env=dict(self.environ), capture_output=True, check=False
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"{self.argv}: {done.stdout.decode()}{done.stderr.decode()}")
        cpu = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
        return Usage(wall, cpu)


@dataclass(frozen=True, slots=True)
class Result:
    """Medians in seconds, and the ratio to aim for."""

    title: str
    ours: float
    peer: float
    aim: float
    runs: int

    @property
    def ratio(self) -> float:
        """envctl's time divided by the peer's; smaller is better."""
        return self.ours / self.peer

    def row(self) -> str:
        """A row of the table."""
        met = "yes" if self.ratio <= self.aim else "**no**"
        return (
            f"| {self.title} | {self.ours * 1000:.0f} ms | {self.peer * 1000:.0f} ms "
            f"| {self.ratio:.2f} | {self.aim:.2f} | {met} | {self.runs} |"
        )


def compare(
    title: str, ours: Command, peer: Command, *, aim: float, runs: int, warm: bool = True
) -> Result:
    """Measure both in turn, with `warm` after one unmeasured run of each."""
    if warm:
        ours.seconds()
        peer.seconds()
    pairs = [(ours.seconds(), peer.seconds()) for _ in range(runs)]
    result = Result(
        title,
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        aim,
        runs,
    )
    print(result.row(), flush=True)
    return result


def said(*argv: str) -> str:
    """The first line that a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=ENVIRON)
    return done.stdout.splitlines()[0]
