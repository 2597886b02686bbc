"""A unit asked, through whatever backend it is on: a shell script that needs nothing installed, and its answers."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Final

from envctl.backends.base import Backend, Execution
from envctl.backends.common.capped import CappedBuffer
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.parity import parse_facts
from envctl.parity.fact_format import UnitFacts
from envctl.plan.model import Unit

TIMEOUT: Final = 300.0
"""Seconds that one unit may take; a machine that is emulated and busy needs most of a minute."""
MOST: Final = 64 * 2**20
"""Bytes that a unit may tell; a large one tells a few MiB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit told, its secrets masked. `cut` says why it may have ended early."""

    data: bytes
    mark: str
    cut: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class CollectorScript:
    """Asks a unit, as whoever is wanted.

    `key` is what digests of secrets are made with, `mask` takes their values out of what is told.
    """

    unit: Unit
    backend: Backend
    key: str
    mask: Callable[[bytes], bytes]

    def ask(
        self,
        questions: Sequence[tuple[str, str]],
        *,
        user: str | None = None,
        everything: bool = False,
    ) -> Answer:
        """Its answer to these questions, as far as it came. EnvctlError if nothing did."""
        mark = secrets.token_hex(16)
        script = (files("envctl.parity") / "collect.sh").read_text("utf-8")
        lines = "".join(f"{kind}\t{value}\n" for kind, value in questions)
        output = CappedBuffer(MOST)
        execution = Execution(
            ("/bin/sh", "-c", script, "facts"),
            # Whoever is in there, too, can read a command line, and so could tell things in our name.
            stdin=io.BytesIO(f"{mark}\n{self.key}\n{lines}".encode("utf-8", "surrogateescape")),
            stdout=output,
            timeout=TIMEOUT,
            user="0" if everything else user,
            everything=everything,
        )
        cut, code = "its output ended before this", None
        try:
            code = self.backend.exec(self.unit.name, execution)
        except EnvctlError as error:
            # What it has told by then is true all the same.
            if not output.data:
                raise
            cut = error.brief
        if output.too_much:
            cut = f"it reports more than {MOST >> 20} MiB"
        return Answer(self.mask(output.data), mark, cut, code)

    def facts(self, answer: Answer, questions: Sequence[tuple[str, str]]) -> UnitFacts:
        """The facts of an answer to these questions. EnvctlError if there are none."""
        try:
            return parse_facts.facts(answer.data, answer.mark, questions, cut=answer.cut)
        except ValueError as error:
            raise EnvctlError(
                f"{self.unit.name} cannot be examined (exit code {answer.exit_code}): {error}",
                hint="facts need /bin/sh inside the unit",
            ) from error
