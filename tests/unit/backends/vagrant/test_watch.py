"""What a build in a machine says, told as progress and, if it fails, as an error with its place."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from envctl.backends.base import Context
from envctl.backends.vagrant.watch import Watch
from envctl.errors import EnvctlError, Place
from envctl.plan.progress import Progress
from envctl.render import Templates
from tests.support.plans import SCOPE, build, packages, script


@dataclass
class Machine:
    """Plays a machine in which the script says and ends as it is told."""

    says: bytes
    code: int
    sent: list[str] = field(default_factory=list)

    def run(self, command: str, **_given: object) -> str:
        self.sent.append(command)
        return ""

    def stream(self, _command: str, *, stdout, **_given: object) -> int:
        for start in range(0, len(self.says), 7):
            stdout(self.says[start : start + 7])
        return self.code


def watched(machine: Machine) -> tuple[list[str], EnvctlError | None]:
    """The progress of a build of two steps, and the error it ends with."""
    said: list[Progress] = []
    context = Context(SCOPE, report=said.append, render=Templates(None).render)
    watch = Watch(build(packages("curl"), script("make")), "web", context)
    try:
        watch.run(machine)  # type: ignore[arg-type]
    except EnvctlError as error:
        return [one.text for one in said], error
    return [one.text for one in said], None


def test_steps_and_what_they_print_are_told_as_they_come():
    said, error = watched(Machine(b"envctl: step 1/2 x\nhello\nenvctl: step 2/2 y\nmade\nlast", 0))

    assert error is None
    assert said == ["step 1/2 packages curl", "hello", "step 2/2 run sh: make", "made", "last"]


@pytest.mark.parametrize("ending", [b"\nenvctl: step 2/2 y failed (exit code 3)\n", b""])
def test_a_step_that_fails_is_told_with_its_output_and_its_place(ending):
    says = b"envctl: step 1/2 x\nof before\nenvctl: step 2/2 y\nabout to fail" + ending
    _, error = watched(Machine(says, 3))

    assert error is not None
    assert error.brief == "cannot build web: step 2/2 run sh: make failed (exit code 3)"
    assert error.details.strip() == "about to fail"
    assert error.where == Place("envctl.yaml", 7, 9)


def test_a_build_that_cannot_begin_is_told_too():
    _, error = watched(Machine(b"sh: not found\n", 127))

    assert error is not None
    assert "preparing failed (exit code 127)" in error.brief
    assert "not found" in error.details
