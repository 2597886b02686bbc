"""Errors for the user: a brief message, details, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from enum import IntEnum

from envctl.lazy_dataclass import dataclass


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    DIFFERENT = 3


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a file something was written; line and column count from 1.

    `note` lists the variables that the value comes from: "http_port is '8081', from ENVCTL_VAR_http_port".
    """

    file: str
    line: int
    column: int
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class EnvctlError(Exception):
    """An error with a remedy. The command line prints it without a traceback.

    `brief` is one sentence, `details` the evidence (a program's output, log lines),
    `hint` what to do next, `where` the place in the spec that asked for it.
    """

    def __init__(
        self,
        brief: str,
        *,
        details: str = "",
        hint: str = "",
        where: Place | None = None,
        exit_code: Exit = Exit.ERROR,
    ) -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.hint = hint
        self.where = where
        self.exit_code = exit_code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        parts = [place + self.brief, self.details.rstrip()]
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(part for part in parts if part)


class AccessError(EnvctlError):
    """A registry denies access, or the required credentials cannot be obtained."""


class UsageError(EnvctlError):
    """The command line itself was wrong."""

    def __init__(self, brief: str, *, hint: str = "") -> None:
        super().__init__(brief, hint=hint, exit_code=Exit.USAGE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a spec file: its place, the message, the expected value, and the line itself."""

    where: Place
    message: str
    expected: str = ""
    hint: str = ""
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.message}"]
        if self.source.strip():
            lines.append(f"    {self.source}")
            lines.append("    " + " " * (self.where.column - 1) + "^")
        if self.expected:
            lines.append(f"    expected: {self.expected}")
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


class SpecError(EnvctlError):
    """All mistakes in a spec."""

    def __init__(self, problems: tuple[Problem, ...], *, all_told: bool = True) -> None:
        """Create the error; `all_told` is false if the spec may have more problems than these."""
        self.problems = problems
        self.all_told = all_told
        count = len(problems)
        counted = f"{count} problem{'s' if count != 1 else ''} in the spec"
        super().__init__(
            counted if all_told else f"{counted}, and more: these are those found first",
            details="\n".join(str(problem) for problem in problems),
        )

    def with_more(self, problems: Iterable[Problem]) -> SpecError:
        """Return the same error with more problems, without duplicates and sorted by place."""
        every = dict.fromkeys([*self.problems, *problems])
        ordered = tuple(sorted(every, key=lambda problem: problem.where))
        return SpecError(ordered, all_told=self.all_told)

    def __str__(self) -> str:
        return f"{self.details}\n{self.brief}"
