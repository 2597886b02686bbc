"""Measures how many seconds `watch` needs until a saved file is in the running unit."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.measure import ENVIRON, said

HEAD = "| what | median | slowest | aim | met | runs |\n|---|---:|---:|---:|---|---:|"
RUNS = 7


@dataclass(frozen=True, slots=True)
class Saved:
    """The result: the seconds of each run."""

    title: str
    seconds: list[float]
    aim: float

    def row(self) -> str:
        """A row of the table."""
        median = statistics.median(self.seconds)
        met = "yes" if median < self.aim else "**no**"
        return (
            f"| {self.title} | {median:.2f} s | {max(self.seconds):.2f} s | {self.aim:g} s | {met} "
            f"| {len(self.seconds)} |"
        )


def measure(envctl: str, folder: Path) -> list[Saved]:
    """Run all measurements in a folder."""
    measured = []
    for backend, files, aim in (("docker", 1, 0.5), ("docker", 10_000, 0.5), ("vagrant", 1, 1.5)):
        where = _project(folder / f"{backend}{files}", backend, files)
        subprocess.run([envctl, "up", "dev"], cwd=where, env=ENVIRON, check=True)
        try:
            title = f"a saved file of {files:,} is live, {backend}"
            measured.append(Saved(title, _seconds(envctl, where), aim))
        finally:
            subprocess.run([envctl, "down", "dev"], cwd=where, env=ENVIRON, check=True)
        print(measured[-1].row(), flush=True)
    return measured


def about() -> str:
    """The versions and conditions of the measurement."""
    engine = said("docker", "version", "--format", "engine {{.Server.Version}}")
    return f"{engine}. From the write of the file to the line of `watch --json` that says it is in the unit."


def _project(folder: Path, backend: str, files: int) -> Path:
    """A service that copies this number of files."""
    (folder / "environments").mkdir(parents=True)
    (folder / "environments/dev.yaml").write_text(f"backend: {backend}\n")
    (folder / "envctl.yaml").write_text(
        f"project: live-{os.getpid()}\nbase: debian:bookworm\nservices:\n  web:\n"
        "    command: [sleep, infinity]\n    build: [{copy: {from: app/, to: /srv/web}}]\n"
    )
    for number in range(files):
        file = folder / f"app/d{number // 100}/f{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n" * 50)
    return folder


def _seconds(envctl: str, folder: Path) -> list[float]:
    argv = [envctl, "watch", "dev", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, cwd=folder, env=ENVIRON, stdout=pipe, stderr=pipe, text=True
    ) as watch:
        assert watch.stdout
        assert watch.stderr
        assert any("waiting for changes" in line for line in watch.stderr)
        seconds = []
        for run in range(RUNS):
            started = time.perf_counter()
            (folder / "app/d0/f0.txt").write_text(f"{run} {started}\n")
            outcome = json.loads(watch.stdout.readline())
            seconds.append(time.perf_counter() - started)
            assert outcome["what"] == "synced", outcome
        watch.terminate()
    return seconds
