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
    from envctl.verbs.choose_target import TargetChoice

_SIGN_COLORS = {"+": "green", "~": "yellow", "-": "red", "!": "red", "*": "cyan", "#": "yellow"}


class Invocation:
    """Everything that a command works with, imported and opened on first use."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out = Stream(sys.stdout, no_color=options.no_color)
        self.err = Stream(sys.stderr, no_color=options.no_color)
        self._has_printed_json = False
        self.profiles: Sequence[str] = ()
        """The profiles chosen with --profile; set before `project` is first used."""
        self.yes = False
        """Whether --yes allows the project's access to this host; set before `project` is first used."""

    @cached_property
    def root(self) -> Path:
        """The project's folder. EnvctlError if this folder belongs to no project."""
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
            profiles=self.profiles,
            environ=os.environ,
            report=self.reporter,
            ask=approval_prompt(self.err, pause=self.reporter.pause, yes=self.yes),
        )

    def close(self) -> None:
        """Restore the terminal."""
        if "reporter" in self.__dict__:
            self.reporter.pause()

    # --- targets

    def environment(self, text: str | None) -> str:
        """The environment named on the command line, or the default one."""
        return text or self.target(None).environment

    def target(self, text: str | None) -> Target:
        """The target named on the command line, or the default one."""
        from envctl.plan.target import Target

        if text:
            return Target.parse(text)
        from envctl.verbs.choose_target import default_target

        return self._noted(default_target(self.project)).target

    def target_and_services(
        self, text: str | None, services: Sequence[str] | None
    ) -> tuple[Target, tuple[str, ...]]:
        """The target and the services in `[TARGET] [SERVICE…]`; an empty tuple means all services."""
        from envctl.verbs.choose_target import choose_target

        words = (*((text,) if text else ()), *(services or ()))
        choice = self._noted(choose_target(self.project, words))
        return choice.target, choice.services

    def _noted(self, choice: TargetChoice) -> TargetChoice:
        """The choice, after a note about it if the user did not name the target."""
        if choice.reason:
            self.note(f"note: environment {choice.target}, {choice.reason}")
        return choice

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
        """Print a message that is not a result on standard error. With --quiet, print nothing."""
        if not self.options.quiet:
            self.reporter.pause()
            self.err.line(self.err.safe(text))

    def json(self, data: Any) -> None:
        """Print data as JSON."""
        from envctl.cli.output import json_text

        self._has_printed_json = True
        self.out.text(json_text(data))

    def json_error(self, error: EnvctlError) -> None:
        """Print an error as JSON, unless a result was printed: standard output holds one document."""
        from envctl.cli.failure import print_error_json

        if not self._has_printed_json:
            print_error_json(error)

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
