"""Runs collect.sh in a unit, on any backend. The script needs only a POSIX shell."""

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
from envctl.parity.environment_digests import digest_variables
from envctl.parity.fact_format import UnitFacts
from envctl.plan.model import Unit

TIMEOUT: Final = 300.0
"""The timeout for one unit, in seconds; a busy emulated machine needs most of a minute."""
MOST: Final = 64 * 2**20
"""The maximum size of the output, in bytes; a large unit prints a few MiB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of the script, with secrets masked. `cut` is the reason if it may have ended early."""

    data: bytes
    mark: str
    cut: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class CollectorScript:
    """Runs the collector script in one unit.

    Digests of secrets are made with `key`; `mask` removes secrets from output.
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
        """Ask these questions; the output may be cut off. EnvctlError if there is no output."""
        mark = secrets.token_hex(16)
        script = (files("envctl.parity") / "collect.sh").read_text("utf-8")
        lines = "".join(f"{kind}\t{value}\n" for kind, value in questions)
        output = CappedBuffer(MOST)
        execution = Execution(
            ("/bin/sh", "-c", script, "facts"),
            # Pass the mark on stdin: other processes in the unit can read command lines, and could forge answers with
            # it.
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
            # Output before the error is valid.
            if not output.data:
                raise
            cut = error.brief
        if output.too_much:
            cut = f"it reports more than {MOST >> 20} MiB"
        names = self.unit.run.process.secret_env
        data = digest_variables(output.data, mark, names, key=self.key) if names else output.data
        return Answer(self.mask(data), mark, cut, code)

    def facts(self, answer: Answer, questions: Sequence[tuple[str, str]]) -> UnitFacts:
        """Parse the answer to these questions. EnvctlError if there is no output."""
        try:
            return parse_facts.facts(answer.data, answer.mark, questions, cut=answer.cut)
        except ValueError as error:
            raise EnvctlError(
                f"{self.unit.name} cannot be examined (exit code {answer.exit_code}): {error}",
                hint="facts need /bin/sh inside the unit",
            ) from error
