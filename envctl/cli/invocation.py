"""One run of one command: its options made into a project, its output, its progress."""

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
    """What a command works with. Nothing is imported or opened before it is asked for."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out = Stream(sys.stdout, no_color=options.no_color)
        self.err = Stream(sys.stderr, no_color=options.no_color)
        self.yes = False
        """Whether the user has said yes to what the project reaches of this host; set before the project is used."""

    @cached_property
    def root(self) -> Path:
        """The project's folder. EnvctlError if this is none."""
        from envctl.definition import find_root

        start = self.options.directory or Path()
        if not start.is_dir():
            raise UsageError(f"there is no folder {str(start)!r}")
        return find_root(start)

    @cached_property
    def sets(self) -> Mapping[str, str]:
        """The variables that `--set` gave."""
        given: dict[str, str] = {}
        for text in self.options.sets:
            name, equals, value = text.partition("=")
            if not name or not equals:
                raise UsageError(f"--set {text!r} is not name=value")
            given[name] = value
        return given

    @cached_property
    def reporter(self) -> Reporter:
        """What shows progress."""
        from envctl.cli.progress import make_reporter

        return make_reporter(self.err, quiet=self.options.quiet)

    @cached_property
    def project(self) -> Project:
        """The project, with this run's options."""
        from envctl.cli.trust import asker
        from envctl.project import Project

        return Project(
            self.root,
            sets=self.sets,
            environ=os.environ,
            report=self.reporter,
            ask=asker(self, yes=self.yes),
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        if "reporter" in self.__dict__:
            self.reporter.pause()

    # --- targets

    def environment(self, text: str | None) -> str:
        """The environment asked for, or the only one there is."""
        if text:
            return text
        from envctl.definition import environments

        names = environments(self.root)
        if len(names) == 1:
            return names[0]
        if not names:
            from envctl.definition.names import no_environments

            raise no_environments(self.root)
        raise UsageError("which environment?", hint=f"there is {', '.join(names)}")

    def target(self, text: str | None) -> Target:
        """The target asked for, or the only environment there is."""
        from envctl.plan.target import Target

        return Target.parse(text) if text else Target(self.environment(None))

    def backend(self, target: Target) -> str:
        """The name of a target's backend, also where the spec is broken."""
        from envctl.plan.target import DEFAULT_BACKEND

        if target.backend:
            return target.backend
        try:
            return self.project.resolved(target.environment).data["backend"]
        except EnvctlError:
            return DEFAULT_BACKEND

    # --- printing

    def note(self, text: str) -> None:
        """Say something that is no result: on standard error, and not if the run is quiet."""
        if not self.options.quiet:
            self.reporter.pause()
            self.err.line(self.err.safe(text))

    def json(self, data: Any) -> None:
        """Print data."""
        from envctl.cli.output import json_text

        self.out.text(json_text(data))

    def changes(self, changes: Sequence[Change]) -> None:
        """Print what changes and why, one line a cause."""
        from envctl.plan.text import change_rows, warning_text

        self.reporter.pause()
        out = self.out
        for head, cause in change_rows(changes):
            sign = out.paint(head[:1], _SIGN_COLORS.get(head[:1], "bold"))
            warning = out.paint(warning_text(cause), "red")
            place = f"  ({cause.where})" if cause.where else ""
            out.line(sign + out.safe(head[1:] + cause.text) + warning + out.safe(place))
