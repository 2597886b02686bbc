"""logs: print what units wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.output import escaped_but_color, json_line
from envctl.errors import UsageError

if TYPE_CHECKING:
    from envctl.backends.base import LogLine

_COLORS = ("cyan", "yellow", "green", "magenta", "blue")


def logs(
    invocation: Invocation,
    target: TargetOrService = None,
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
    since: Annotated[
        str | None,
        Option(("--since",), "Print lines from this time on: 10m (ago), 2024-05-01T12:00:00Z."),
    ] = None,
    until: Annotated[
        str | None,
        Option(("--until",), "Print lines up to this time: 10m (ago), 2024-05-01T12:00."),
    ] = None,
    timestamps: Annotated[
        bool, Option(("--timestamps", "-t"), "Print the time (UTC) before each line.")
    ] = False,
    no_prefix: Annotated[
        bool, Option(("--no-prefix",), "Print lines without the unit's name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the output of units, oldest line first.

    On a terminal, control characters other than colours are escaped. A file or pipe gets the lines unchanged.

    Examples:
        envctl logs dev web --follow --tail 20
        envctl logs web --since 10m

    JSON: an object on each line, with `unit`, `stream` (stdout or stderr), `time` (RFC 3339, UTC) and `text`.
    """
    if follow and until:
        raise UsageError("--follow has no end: it cannot be used with --until")
    from envctl.cli.moments import parse_moment

    moments = {
        "since": parse_moment("--since", since) if since else None,
        "until": parse_moment("--until", until) if until else None,
    }
    goal, units = invocation.target_and_services(target, services)
    printer = _Printer(invocation, prefix=not no_prefix, timestamps=timestamps)
    show = printer.json if as_json else printer
    from envctl.verbs import logs as verb

    lines = verb.logs(invocation.project, goal, units, follow=follow, tail=tail, **moments)
    try:
        for line in lines:
            show(line)
    except KeyboardInterrupt:
        if not follow:
            raise


class _Printer:
    def __init__(self, invocation: Invocation, *, prefix: bool, timestamps: bool) -> None:
        self.out = invocation.out
        self.prefix = prefix
        self.timestamps = timestamps
        self.width = 0
        self.colors: dict[str, str] = {}

    def __call__(self, line: LogLine) -> None:
        """Print one line and flush it."""
        text = line.text.rstrip("\r\n")
        if self.out.terminal:
            text = escaped_but_color(text, color=self.out.color)
        moment = f"{_utc_text(line)} " if self.timestamps else ""
        self.out.file.write(f"{self._before(line.unit)}{moment}{text}\n")
        self.out.file.flush()

    def json(self, line: LogLine) -> None:
        """Print one line as an object of JSON."""
        data = {"unit": line.unit, "stream": line.stream, "time": _utc_text(line)}
        self.out.text(json_line({**data, "text": line.text.rstrip("\r\n")}))

    def _before(self, unit: str) -> str:
        if not self.prefix:
            return ""
        self.width = max(self.width, len(unit))
        color = self.colors.setdefault(unit, _COLORS[len(self.colors) % len(_COLORS)])
        return self.out.paint(f"{unit:<{self.width}} | ", color)


def _utc_text(line: LogLine) -> str:
    from envctl.cli.moments import utc_text

    return utc_text(line.time)
