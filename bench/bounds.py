"""Measures small inputs that once took minutes or gigabytes: CPU time and memory of whole processes."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import ENVIRON

HEAD = "| what | time | processor | memory | bounds | met |\n|---|---:|---:|---:|---:|---|"
BEFORE = "Each input is a file of some hundred kilobytes at most. Memory is the most that the process or one of its children had at once."
HEADING = "project: bounds\nbase: debian:bookworm\n"
WEB = HEADING + "services:\n  web:\n    command: [sleep, infinity]\n"
MEMORY_BACKEND = "backend: memory\n"
COPY = WEB + "    build: [{copy: {from: app/, to: /srv/}}]\n"
TEMPLATE = WEB + "    build: [{template: {from: t.j2, to: /etc/t}}]\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of one process; `cpu` and `seconds` in seconds, `memory` in MB."""

    title: str
    seconds: float
    cpu: float
    memory: float
    most_cpu: float = 2.0
    most_memory: float = 300.0

    def row(self) -> str:
        """A row of the table."""
        met = self.cpu <= self.most_cpu and self.memory <= self.most_memory
        return (
            f"| {self.title} | {self.seconds:.1f} s | {self.cpu:.1f} s | {self.memory:.0f} MB "
            f"| {self.most_cpu:g} s, {self.most_memory:g} MB | {'yes' if met else '**no**'} |"
        )


def measure(envctl: str, folder: Path) -> list[Measured]:
    """Run all measurements in a folder."""
    measured = []
    for number, (title, make, verb) in enumerate(INPUTS):
        where = _project(folder / f"input{number}", make)
        measured.append(run(title, [envctl, *verb], where))
        print(measured[-1].row(), flush=True)
    for number, (title, make, earlier, verb, most_cpu) in enumerate(AIMED):
        where = _project(folder / f"aimed{number}", make)
        for words in earlier:
            run(title, [envctl, *words], where)
            _change_a_line(where)
        measured.append(replace(run(title, [envctl, *verb], where), most_cpu=most_cpu))
        print(measured[-1].row(), flush=True)
    return measured


def _project(folder: Path, make: Callable[[Path], None]) -> Path:
    (folder / "environments").mkdir(parents=True)
    (folder / "environments/dev.yaml").write_text(MEMORY_BACKEND)
    make(folder)
    return folder


def _change_a_line(folder: Path) -> None:
    """Change a file of the context, if a rendered folder needs the change."""
    if (folder / "out").exists():
        (folder / "app/d0/f0.txt").write_text("changed\n")


def run(title: str, argv: list[str], folder: Path) -> Measured:
    """Run a process to its end, at most a quarter of an hour, whatever its exit code."""
    environ = {**ENVIRON, "XDG_STATE_HOME": str(folder / "state"), "ENVCTL_TRUSTED": "*"}
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    seconds = time.perf_counter() - start
    return Measured(title, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def about() -> str:
    """The versions and conditions of the measurement."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    limit = "no limit" if soft == resource.RLIM_INFINITY else f"a limit of {soft} bytes"
    return f"{limit} on this process's memory. {BEFORE}"


def spec(text: str) -> Callable[[Path], None]:
    """A project with this spec."""

    def make(folder: Path) -> None:
        (folder / "envctl.yaml").write_text(text)

    return make


def template(text: str) -> Callable[[Path], None]:
    """A project with a template."""

    def make(folder: Path) -> None:
        (folder / "envctl.yaml").write_text(TEMPLATE)
        (folder / "t.j2").write_text(text)

    return make


def context(files: int) -> Callable[[Path], None]:
    """A project with a service that copies this number of files."""

    def make(folder: Path) -> None:
        (folder / "envctl.yaml").write_text(COPY)
        for number in range(files):
            file = folder / f"app/d{number // 100}/f{number}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{number}\n" * 50)
        # Hashes of files that were written just now are not remembered, as their times could not show another change.
        time.sleep(3)

    return make


def environments(text: str, number: int) -> Callable[[Path], None]:
    """A project with this number of environments, each of which adds a variable to a service."""

    def make(folder: Path) -> None:
        (folder / "envctl.yaml").write_text(text)
        for one in range(number):
            own = f"services: {{s1: {{env: {{E: e{one}}}}}}}\n" if "s1:" in text else ""
            (folder / f"environments/e{one}.yaml").write_text(MEMORY_BACKEND + own)

    return make


def services(number: int) -> str:
    """A spec with this number of services."""
    return (
        HEADING
        + "services:\n"
        + "".join(
            f'  s{one}: {{command: [sleep, infinity], env: {{A: b}}, ports: ["{20000 + one}:80"]}}\n'
            for one in range(number)
        )
    )


VALIDATE, UP = ["validate"], ["up", "dev", "-q"]
INPUTS: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("4,000 duplicate keys", spec(WEB + "    env:\n" + "".join(f"      A: v{n}\n" for n in range(4000))), VALIDATE),
    ("400 misspelt `depends_on`", spec(HEADING + "services:\n" + "".join(
        f"  service-number-{n}: {{command: [a], depends_on: [servise-number-{n}x]}}\n" for n in range(400))), VALIDATE),
    ("a variable of 1 MB, used 80 times", spec(HEADING + f"vars:\n  big: {'x' * 1_000_000}\n" + WEB.removeprefix(HEADING)
        + "    env:\n" + "".join(f'      V{n}: "${{big}}"\n' for n in range(80))), VALIDATE),
    ("a line of 100 KB", spec(WEB + "    env: {A: " + "a" * 100_000 + "${x}}\n"), VALIDATE),
    ("40 × `extends` with `!append` on 40,000 packages", spec(WEB + "    packages: ["
        + ", ".join(f"package{n}" for n in range(40_000)) + "]\n  s0: {extends: web}\n"
        + "".join(f"  s{n}: {{extends: s{n - 1}, packages: !append [more{n}]}}\n" for n in range(1, 40))), VALIDATE),
    ("40 × `extends` with `!append` on 1,000 packages", spec(WEB + "    packages: ["
        + ", ".join(f"package{n}" for n in range(1_000)) + "]\n  s0: {extends: web}\n"
        + "".join(f"  s{n}: {{extends: s{n - 1}, packages: !append [more{n}]}}\n" for n in range(1, 40))), VALIDATE),
    ("a template with `9**(9**9)`", template("{{ 9**(9**9) }}"), VALIDATE),
    ("a template with nested loops", template("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"), VALIDATE),
    ("a template that puts out 1 GB", template("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}"), VALIDATE),
    ("a template that asks for 100 GB", template("{{ 'x' * 99999999999 }}"), VALIDATE),
    ("a template that calls itself", template("{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}"), VALIDATE),
    ("`plan` of one of 3,000 environments", environments(WEB, 3000), ["plan", "e1"]),
    ("`up` of 1,000 services on paper", spec(services(1000)), UP),
]  # fmt: skip
RENDER = ["render", "dev@docker", "-o", "out"]
AIMED: list[tuple[str, Callable[[Path], None], list[list[str]], list[str], float]] = [
    ("`validate` of 100 services in 200 environments", environments(services(100), 200), [], VALIDATE, 3.0),
    ("`render` of 2,000 files", context(2_000), [], RENDER, 2.0),
    ("`render` again, one line of 2,000 files changed", context(2_000), [RENDER], RENDER, 2.0),
    ("`status` beside a context of 20,000 files", context(20_000), [UP], ["status", "dev"], 0.4),
    ("`up` beside it, nothing to do", context(20_000), [UP], UP, 0.4),
]  # fmt: skip
"""Commands with their own aims, in seconds of CPU time, and the commands to run first."""
