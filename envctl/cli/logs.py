"""logs: print what units wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, Target
from envctl.cli.declare import Option
from envctl.cli.invocation import Invocation
from envctl.cli.output import escaped_but_color

if TYPE_CHECKING:
    from envctl.backends.base import LogLine

_COLORS = ("cyan", "yellow", "green", "magenta", "blue")


def logs(
    invocation: Invocation,
    target: Target = None,
    services: Services = None,
    *,
    follow: Annotated[
        bool,
        Option(
            (
                "--follow",
                "-f",
            ),
            "Keep printing new lines until interrupted.",
        ),
    ] = False,
    tail: Annotated[
        int | None,
        Option(
            (
                "--tail",
                "-n",
            ),
            "Print only the last lines of each unit.",
            least=0,
        ),
    ] = None,
    no_prefix: Annotated[
        bool, Option(("--no-prefix",), "Print lines without the unit's name.")
    ] = False,
) -> None:
    """Print the output of units, oldest line first.

    On a terminal, control characters other than colours are escaped. A file or pipe gets the lines unchanged.

    Examples:
        envctl logs dev
        envctl logs dev web --follow --tail 20
    """
    goal, units = invocation.target_and_services(target, services)
    printer = _Printer(invocation, prefix=not no_prefix)
    from envctl.verbs import logs as verb

    lines = verb.logs(invocation.project, goal, units, follow=follow, tail=tail)
    try:
        for line in lines:
            printer(line)
    except KeyboardInterrupt:
        if not follow:
            raise


class _Printer:
    def __init__(self, invocation: Invocation, *, prefix: bool) -> None:
        self.out = invocation.out
        self.prefix = prefix
        self.width = 0
        self.colors: dict[str, str] = {}

    def __call__(self, line: LogLine) -> None:
        """Print one line and flush it."""
        text = line.text.rstrip("\r\n")
        if self.out.terminal:
            text = escaped_but_color(text, color=self.out.color)
        self.out.file.write(f"{self._before(line.unit)}{text}\n")
        self.out.file.flush()

    def _before(self, unit: str) -> str:
        if not self.prefix:
            return ""
        self.width = max(self.width, len(unit))
        color = self.colors.setdefault(unit, _COLORS[len(self.colors) % len(_COLORS)])
        return self.out.paint(f"{unit:<{self.width}} | ", color)
