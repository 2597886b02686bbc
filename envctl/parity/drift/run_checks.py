"""The spec's own checks: commands that run inside a unit, as its user, and must exit with 0."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from envctl.backends.base import Backend, Execution
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.parity.drift.expectation import CHECKS, Expectation
from envctl.plan.model import Check, Unit
from envctl.progress import Progress, Report, Stage

_SHOWN: Final = 20
"""The number of lines of a check's output that are shown, from the end."""
_MOST_OUTPUT: Final = 64 * 1024
"""How much output of a check is kept, in bytes."""
_FINE: Final = "exit code 0"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended. `exit_code` is None if the check was killed or could not run; `cause` says why."""

    unit: str
    check: Check
    exit_code: int | None
    seconds: float
    output: tuple[str, ...]
    cause: str = ""

    @property
    def expectation(self) -> Expectation:
        """The expectation that it exits with 0, and how it ended."""
        end = self.cause or f"exit code {self.exit_code}"
        return Expectation(self.unit, CHECKS, self.check.name, _FINE, end, self.check.where)


def run(
    units: Sequence[Unit], backend: Backend, *, mask: Callable[[str], str], report: Report
) -> Iterator[CheckResult]:
    """Run the checks of these running units, one after the other; `mask` removes secrets from their output."""
    for unit in units:
        for check in unit.checks:
            work = f"check {unit.name} {check.name}"
            report(Progress(work, Stage.STARTED))
            result = _run(unit, check, backend, mask)
            expectation = result.expectation
            stage = Stage.DONE if expectation.passed else Stage.FAILED
            report(Progress(work, stage, "" if expectation.passed else expectation.observed))
            yield result


def not_run(units: Iterable[Unit]) -> Iterator[CheckResult]:
    """The checks of units that are not running."""
    for unit in units:
        for check in unit.checks:
            yield CheckResult(unit.name, check, None, 0.0, (), f"{unit.name} does not run")


def _run(unit: Unit, check: Check, backend: Backend, mask: Callable[[str], str]) -> CheckResult:
    output = bytearray()

    def keep(data: bytes) -> None:
        output.extend(data)
        del output[:-_MOST_OUTPUT]

    execution = Execution(check.argv, stdout=keep, stderr=keep, timeout=check.timeout)
    begin, code, cause = time.monotonic(), None, ""
    try:
        code = backend.exec(unit.name, execution)
    except EnvctlError as error:
        cause = mask(error.brief)
    seconds = time.monotonic() - begin
    # The first line may start in the middle of a secret, which `mask` would miss.
    whole = output if len(output) < _MOST_OUTPUT else output.partition(b"\n")[2]
    lines = mask(whole.decode("utf-8", "replace")).rstrip().splitlines()[-_SHOWN:]
    return CheckResult(unit.name, check, code, round(seconds, 3), tuple(lines), cause)
