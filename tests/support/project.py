"""A project of a test's own: a folder, a unique name, and nothing left of it afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from envctl import project as envctl_project
from envctl.backends.base import Execution
from envctl.plan.target import Target
from envctl.progress import Progress
from tests.support.verbs import Workspace

TREE = Path(__file__).parents[2]


def unique(prefix: str = "t") -> str:
    """A project name no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@dataclass
class Project:
    """A spec in a folder and the means to work with it, in this process or by the command line."""

    root: Path
    backend: str = "docker"
    name: str = field(default_factory=unique)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    events: list[Progress] = field(default_factory=list)

    def spec(self, services: str, *, top: str = "", environment: str = "") -> Project:
        """Write the base file with these services, and `dev` as its only environment."""
        self.write(
            "envctl.yaml",
            f"project: {self.name}\nbase: debian:bookworm\n"
            + dedent(top)
            + "services:\n"
            + _indented(services),
        )
        overlay = dedent(environment) or f"backend: {self.backend}\n"
        return self.write("environments/dev.yaml", overlay)

    def write(self, path: str, text: str | bytes) -> Project:
        """Write a file of the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    @property
    def target(self) -> Target:
        """The environment `dev` on the backend under test."""
        return Target("dev", self.backend)

    def workspace(self, **sets: str) -> Workspace:
        """The envctl project of this folder, as a new command would make it."""
        return Workspace(
            envctl_project.Project(
                self.root, environ=self.environ, sets=sets, report=self.events.append
            )
        )

    def up(self, *services: str, **sets: str) -> list[str]:
        """Bring `dev` up; what changed, as "action unit"."""
        result = self.workspace(**sets).up(self.target, services=services)
        return [f"{change.action} {change.unit}" for change in result.changes]

    def down(self, *, volumes: bool = False) -> list[str]:
        """Take `dev` down; what changed."""
        changes = self.workspace().down(self.target, volumes=volumes)
        return [f"{change.action} {change.unit}".strip() for change in changes]

    def states(self) -> dict[str, str]:
        """The state of each unit."""
        return {row.unit: row.state for row in self.workspace().status(self.target)}

    def ids(self) -> dict[str, str]:
        """The incarnation of each unit."""
        observed = self.workspace().observed(self.target)
        return {name: unit.id for name, unit in observed.units.items()}

    def run(self, unit: str, *argv: str, **options: object) -> tuple[int, str, str]:
        """Run a command in a unit: exit code, standard output, standard error."""
        out: list[bytes] = []
        err: list[bytes] = []
        execution = Execution(argv, stdout=out.append, stderr=err.append, **options)  # type: ignore[arg-type]
        code: int = self.workspace().exec(self.target, unit, execution)
        return code, b"".join(out).decode(), b"".join(err).decode()

    def cli(
        self, *argv: str, timeout: float = 600, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in the project's folder."""
        return subprocess.run(
            [sys.executable, "-m", "envctl", *argv],
            cwd=self.root,
            env={**self.environ, "PYTHONPATH": str(TREE), **(environ or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start the command line and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "envctl", *argv],
            cwd=self.root,
            env={**self.environ, "PYTHONPATH": str(TREE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read a run's output until a line speaks of `text`; it has to come."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"the run ended before {text!r}"


ProjectMaker = Callable[..., Project]


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in dedent(text).strip("\n").splitlines())
