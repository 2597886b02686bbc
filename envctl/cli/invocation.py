"""One run of one command: its options, project, output and progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl.cli.output import Stream
from envctl.errors import EnvctlError, UsageError

if TYPE_CHECKING:
    from envctl.cli.declare import Options
    from envctl.cli.progress import Reporter
    from envctl.plan.changes import Change
    from envctl.plan.target import Target
    from envctl.project import Project

_SIGN_COLORS = {"+": "green", "~": "yellow", "-": "red", "!": "red", "*": "cyan", "#": "yellow"}


class Invocation:
    """What a command works with. Everything is imported and opened on first use."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out = Stream(sys.stdout, no_color=options.no_color)
        self.err = Stream(sys.stderr, no_color=options.no_color)
        self.yes = False
        """Whether --yes allows the project's access to this host; set before `project` is first used."""

    @cached_property
    def root(self) -> Path:
        """The project's folder. EnvctlError if there is no project here."""
        from envctl.definition import find_root

        start = self.options.directory or Path()
        if not start.is_dir():
            raise UsageError(f"no such folder: {str(start)!r}")
        return find_root(start)

    @cached_property
    def sets(self) -> Mapping[str, str]:
        """The variables set with `--set`."""
        variables: dict[str, str] = {}
        for text in self.options.sets:
            name, equals, value = text.partition("=")
            if not name or not equals:
                raise UsageError(f"--set {text!r} is not of the form name=value")
            variables[name] = value
        return variables

    @cached_property
    def reporter(self) -> Reporter:
        """Shows progress on standard error."""
        from envctl.cli.progress import make_reporter

        return make_reporter(self.err, quiet=self.options.quiet)

    @cached_property
    def project(self) -> Project:
        """The project, with this run's options."""
        from envctl.cli.approval_prompt import approval_prompt
        from envctl.project import Project

        return Project(
            self.root,
            sets=self.sets,
            environ=os.environ,
            report=self.reporter,
            ask=approval_prompt(self.err, pause=self.reporter.pause, yes=self.yes),
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        if "reporter" in self.__dict__:
            self.reporter.pause()

    # --- targets

    def environment(self, text: str | None) -> str:
        """The environment named on the command line, or the project's only one."""
        if text:
            return text
        from envctl.definition import environments

        names = environments(self.root)
        if len(names) == 1:
            return names[0]
        if not names:
            from envctl.definition.names import no_environments

            raise no_environments(self.root)
        raise UsageError("no environment named", hint=f"name one of: {', '.join(names)}")

    def target(self, text: str | None) -> Target:
        """The target named on the command line, or the project's only environment."""
        from envctl.plan.target import Target

        return Target.parse(text) if text else Target(self.environment(None))

    def backend(self, target: Target) -> str:
        """The name of a target's backend. Falls back to the default if the spec has mistakes."""
        from envctl.plan.target import DEFAULT_BACKEND

        if target.backend:
            return target.backend
        try:
            return self.project.resolved(target.environment).data["backend"]
        except EnvctlError:
            return DEFAULT_BACKEND

    # --- printing

    def note(self, text: str) -> None:
        """Print something that is not a result, on standard error. Nothing with --quiet."""
        if not self.options.quiet:
            self.reporter.pause()
            self.err.line(self.err.safe(text))

    def json(self, data: Any) -> None:
        """Print data as JSON."""
        from envctl.cli.output import json_text

        self.out.text(json_text(data))

    def changes(self, changes: Sequence[Change]) -> None:
        """Print the changes, one line per cause."""
        from envctl.plan.text import change_rows, warning_text

        self.reporter.pause()
        out = self.out
        for head, cause in change_rows(changes):
            sign = out.paint(head[:1], _SIGN_COLORS.get(head[:1], "bold"))
            warning = out.paint(warning_text(cause), "red")
            place = f"  ({cause.where})" if cause.where else ""
            out.line(sign + out.safe(head[1:] + cause.text) + warning + out.safe(place))
