"""Measures the startup cost of commands: CPU and wall time of whole processes, compared with Compose in the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import ENVIRON, Command, Usage, said

HEAD = (
    "| what | envctl CPU | Compose CPU | ratio | aim | met | envctl wall | Compose wall | ratio | aim | met |\n"
    "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---|"
)
RUNS = 15
MOST_CPU = 3.0
MOST_WALL = 2.5


@dataclass(frozen=True, slots=True)
class Started:
    """The medians of a command and of its peer, in seconds."""

    title: str
    ours: Usage
    peer: Usage

    def row(self) -> str:
        """A row of the table."""
        cpu = self.ours.cpu / self.peer.cpu
        wall = self.ours.wall / self.peer.wall
        return (
            f"| {self.title} | {self.ours.cpu * 1000:.0f} ms | {self.peer.cpu * 1000:.0f} ms "
            f"| {cpu:.2f} | {MOST_CPU:.1f} | {_met(cpu <= MOST_CPU)} "
            f"| {self.ours.wall * 1000:.0f} ms | {self.peer.wall * 1000:.0f} ms "
            f"| {wall:.2f} | {MOST_WALL:.1f} | {_met(wall <= MOST_WALL)} |"
        )


def measure(envctl: str, folder: Path) -> list[Started]:
    """Bring up two services, and measure the commands that inspect them."""
    project = _project(folder)
    rendered = project / "rendered"
    up = [envctl, "up", "dev"]
    down = Command([envctl, "down", "dev", "--volumes"], project)
    peer_up = ["docker-compose", "up", "-d"]
    peer_down = Command(["docker-compose", "down", "-t", "1"], rendered)
    pairs: list[tuple[str, list[str], list[str], dict[str, str]]] = [
        ("`--version`", ["--version"], ["--version"], {}),
        ("`--help`", ["--help"], ["--help"], {}),
        ("TAB after `sta`", [], ["__complete", "sta"], _completing("envctl sta")),
        (
            "TAB after `exec d`",
            [],
            ["__complete", "exec", "w"],
            _completing("envctl exec d"),
        ),
        ("`status`", ["status", "dev"], ["ps"], {}),
        ("`up`, nothing to do", up[1:], peer_up[1:], {}),
        ("`exec true`", ["exec", "dev", "web", "true"], ["exec", "-T", "web", "true"], {}),
        ("`plan`", ["plan", "dev"], ["--dry-run", "up", "-d"], {}),
        ("`logs`", ["logs", "dev"], ["logs"], {}),
    ]
    try:
        for argv, where in (
            (up, project),
            ([envctl, "render", "dev", "-o", str(rendered)], project),
            (peer_up, rendered),
        ):
            subprocess.run(argv, cwd=where, env=ENVIRON, check=True)
        return [
            compare(
                title,
                Command([envctl, *ours], project, {**ENVIRON, **environ}),
                Command(["docker-compose", *peer], rendered),
            )
            for title, ours, peer, environ in pairs
        ]
    finally:
        peer_down.seconds()
        down.seconds()


def about() -> str:
    """The versions and conditions of the measurement."""
    engine = said("docker", "version", "--format", "engine {{.Server.Version}}")
    return (
        f"{said('docker-compose', 'version')}, {engine}; median of {RUNS}. Compose runs the folder that `envctl render` wrote; "
        f"The load of the machine was {os.getloadavg()[0]:.0f} at the end: with more than its cores, processor times hold as "
        "ratios, and times on the clock tell little. "
        "For `status` it is asked for `ps`, for `plan` for `--dry-run up -d`, for TAB for `__complete`."
    )


def compare(title: str, ours: Command, peer: Command) -> Started:
    """Measure both in turn, after an unmeasured run of each."""
    ours.usage()
    peer.usage()
    pairs = [(ours.usage(), peer.usage()) for _ in range(RUNS)]
    result = Started(
        title, _median([pair[0] for pair in pairs]), _median([pair[1] for pair in pairs])
    )
    print(result.row(), flush=True)
    return result


def _median(usages: list[Usage]) -> Usage:
    middle: Callable[[list[float]], float] = statistics.median
    return Usage(middle([usage.wall for usage in usages]), middle([usage.cpu for usage in usages]))


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def _completing(words: str) -> dict[str, str]:
    """The environment that a shell sets when TAB is pressed after these words."""
    return {
        "_ENVCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }


def _project(folder: Path) -> Path:
    """A spec with two services, one of which is built."""
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "dev.yaml").write_text("backend: docker\n")
    (folder / "envctl.yaml").write_text(
        f"project: bench-start-{os.getpid()}\n"
        "base: debian:bookworm\n"
        "services:\n"
        "  web:\n"
        "    build: [{run: 'echo workers = 4 > /etc/web.conf'}]\n"
        "    command: [sh, -c, 'seq 100; exec sleep infinity']\n"
        "    depends_on: [db]\n"
        "  db:\n"
        "    command: [sleep, infinity]\n"
        "    volumes: {data: /var/lib/db}\n"
    )
    return folder
