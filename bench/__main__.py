"""`python -m bench [--write]`: measure, print, and with --write keep the table in RESULTS.md.

envctl is installed from a wheel into an environment of its own, since that is what users run; an
editable install without byte code starts slower.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from bench.measure import Command, Result, compare

TREE = Path(__file__).parents[1]
HEAD = "| what | envctl | docker compose | ratio | aim | met | runs |\n|---|---:|---:|---:|---:|---|---:|"
ENVIRON = {
    key: value
    for key, value in os.environ.items()
    if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
}
# The peer comes from this environment's packages.
os.environ["PATH"] = ENVIRON["PATH"] = (
    f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
)


def install(folder: Path) -> str:
    """Install the tree's wheel with its byte code; the path of the command."""
    home = folder / "venv"
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--compile", str(TREE)]
    subprocess.run(pip, check=True, env=ENVIRON)
    return str(home / "bin" / "envctl")


def project(folder: Path, services: int, *, ports: bool = False) -> Path:
    """A spec of so many services in chains of ten, and the same as a compose file."""
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
    """`config`, whole processes."""
    where = project(folder / f"config{services}", services, ports=True)
    return compare(
        f"`config`, {services:,} services",
        Command([envctl, "config", "dev"], where, ENVIRON),
        Command(["docker-compose", "config"], where, ENVIRON),
        aim=aim,
        runs=runs,
    )


def ups(envctl: str, folder: Path) -> list[Result]:
    """`up` with nothing to do, and of 50 containers that are built; Compose runs the rendered folder."""
    results = []
    for services, fresh in ((3, False), (50, True)):
        where = project(folder / f"up{services}", services)
        rendered = where / "rendered"
        subprocess.run([envctl, "up", "dev"], cwd=where, env=ENVIRON, check=True)
        subprocess.run(
            [envctl, "render", "dev", "-o", str(rendered)], cwd=where, env=ENVIRON, check=True
        )
        down = Command([envctl, "down", "dev"], where, ENVIRON)
        peer_down = Command(["docker-compose", "down", "-t", "1"], rendered, ENVIRON)
        before = (down.seconds, peer_down.seconds) if fresh else (lambda: None, lambda: None)
        try:
            results.append(
                compare(
                    f"fresh `up`, {services} built containers" if fresh else "`up`, nothing to do",
                    Command([envctl, "up", "dev"], where, ENVIRON, before[0]),
                    Command(["docker-compose", "up", "-d"], rendered, ENVIRON, before[1]),
                    aim=0.65 if fresh else 3.0,
                    runs=3 if fresh else 7,
                )
            )
        finally:
            down.seconds()
            peer_down.seconds()
    return results


def said(*argv: str) -> str:
    """The first line a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory(prefix="envctl-bench-") as name:
        folder = Path(name)
        envctl = install(folder)
        print(HEAD)
        results = [
            config(envctl, folder, 3, 2.0, 11),
            config(envctl, folder, 1000, 0.3, 5),
            *ups(envctl, folder),
        ]
        version = said(envctl, "--version")
    if "--write" in sys.argv:
        table = "\n".join([HEAD, *(result.row() for result in results)])
        machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
        engine = said("docker", "version", "--format", "engine {{.Server.Version}}")
        text = (
            "# Measured against the field\n\n"
            f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {version}, {said('docker-compose', 'version')}, "
            f"{engine}, {machine}.\nCommand: `make bench`. Medians of whole processes, both in the same run, in turn.\n"
            f"Compose brings up the folder that `envctl render` wrote, so both make the same containers.\n\n{table}\n"
        )
        (TREE / "bench" / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main()
