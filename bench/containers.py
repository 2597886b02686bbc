"""Compares with Docker Compose, which brings up the folder from `envctl render`, so both create the same containers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.measure import ENVIRON, Command, Result, compare, said

PEER = "docker compose"


def measure(envctl: str, folder: Path) -> list[Result]:
    """Run all measurements in a folder."""
    return [
        config(envctl, folder, 3, 2.0, 11),
        config(envctl, folder, 1000, 0.3, 5),
        *ups(envctl, folder),
    ]


def about() -> str:
    """The versions and conditions of the measurement."""
    engine = said("docker", "version", "--format", "engine {{.Server.Version}}")
    return f"{said('docker-compose', 'version')}, {engine}. Compose brings up the folder that `envctl render` wrote."


def project(folder: Path, services: int, *, ports: bool = False) -> Path:
    """A spec with this number of services in chains of ten, and an equal Compose file."""
    name = f"bench-{folder.name}-{os.getpid()}"
    spec = [f"project: {name}", "base: debian:bookworm", "services:"]
    peer = [f"name: {name}", "services:"]
    for number in range(services):
        after = f"s{number - 1}" if number % 10 else ""
        spec += [
            f"  s{number}:",
            "    command: [sleep, infinity]",
            f'    env: {{NUMBER: "{number}", LOG_LEVEL: info, NAME: "service {number}"}}',
            *([f'    ports: ["{20000 + number}:80"]'] if ports else []),
            *([f"    depends_on: [{after}]"] if after else []),
        ]
        peer += [
            f"  s{number}:",
            "    image: debian:bookworm",
            "    command: [sleep, infinity]",
            f'    environment: {{NUMBER: "{number}", LOG_LEVEL: info, NAME: "service {number}"}}',
            *([f'    ports: ["127.0.0.1:{20000 + number}:80"]'] if ports else []),
            *([f"    depends_on: [{after}]"] if after else []),
        ]
    (folder / "environments").mkdir(parents=True)
    (folder / "envctl.yaml").write_text("\n".join(spec) + "\n")
    (folder / "environments" / "dev.yaml").write_text("backend: docker\n")
    (folder / "compose.yaml").write_text("\n".join(peer) + "\n")
    return folder


def config(envctl: str, folder: Path, services: int, aim: float, runs: int) -> Result:
    """`config`, as whole processes."""
    where = project(folder / f"config{services}", services, ports=True)
    return compare(
        f"`config`, {services:,} services",
        Command([envctl, "config", "dev"], where),
        Command(["docker-compose", "config"], where),
        aim=aim,
        runs=runs,
    )


def ups(envctl: str, folder: Path) -> list[Result]:
    """`up` with nothing to do, and of 50 built containers. Compose runs the rendered folder."""
    results = []
    for services, fresh in ((3, False), (50, True)):
        where = project(folder / f"up{services}", services)
        rendered = where / "rendered"
        subprocess.run([envctl, "up", "dev"], cwd=where, env=ENVIRON, check=True)
        subprocess.run(
            [envctl, "render", "dev", "-o", str(rendered)], cwd=where, env=ENVIRON, check=True
        )
        down = Command([envctl, "down", "dev"], where)
        peer_down = Command(["docker-compose", "down", "-t", "1"], rendered)
        before = (down.seconds, peer_down.seconds) if fresh else (lambda: None, lambda: None)
        try:
            results.append(
                compare(
                    f"fresh `up`, {services} built containers" if fresh else "`up`, nothing to do",
                    Command([envctl, "up", "dev"], where, before=before[0]),
                    Command(["docker-compose", "up", "-d"], rendered, before=before[1]),
                    aim=0.65 if fresh else 3.0,
                    runs=3 if fresh else 7,
                )
            )
        finally:
            down.seconds()
            peer_down.seconds()
    return results
