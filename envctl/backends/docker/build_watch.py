"""Follows a build: reports progress in terms of the spec, and explains failures."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from envctl.backends.docker.buildkit_progress import Output, Vertex, decode
from envctl.backends.docker.dockerfiles import stage_names
from envctl.errors import EnvctlError, Place
from envctl.plan.model import Build, CopyFromStage, DockerfileBuild
from envctl.plan.text import step_text
from envctl.progress import Progress, Report, Stage

SHOWN_LINES: Final = 30
"""How many lines of a failed step's output an error shows."""
_LONGEST: Final = 16 * 1024
"""The maximum length of a line, in bytes; a longer one is reported in parts."""
_NUMBERED: Final = re.compile(r"^\[((?:\S+ )*)\s*(\d+)/(\d+)\] (.*)", re.DOTALL)
_MISSING: Final = re.compile(r'"(/[^"\n]+)":? not found')
"""How the builder says that a COPY found nothing."""
_NOT_AT_HAND: Final = ("failed to resolve source metadata", "pull access denied", "failed to do request", "failed to authorize", "not found")  # fmt: skip

Explain: TypeAlias = Callable[[str], tuple[str, str] | None]
"""Explains a builder's error that concerns no single step: the problem and the remedy; None if it is unknown."""


def unexplained(_text: str) -> None:
    """Explain nothing beyond the builder's own message."""


class Watch:
    """Follows one build: reports progress, and keeps the output that explains a failure."""

    def __init__(
        self,
        source: Build | DockerfileBuild,
        unit: str,
        report: Report,
        *,
        explain: Explain = unexplained,
    ) -> None:
        self.image = ""
        self._explain = explain
        self._source = source
        self._stages: Mapping[str, Build] = {}
        """The builds of stages, by their names in the Dockerfile."""
        if isinstance(source, Build):
            names = stage_names(source)
            self._stages = {names[stage.build.digest]: stage.build for stage in source.stages}
        self._unit = unit
        self._report = report
        self._vertexes: dict[str, Vertex] = {}
        self._outputs: dict[str, deque[str]] = {}
        self._partial: dict[str, bytes] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Handle one record of the builder's answer. EnvctlError if it reports that the build failed."""
        if "error" in event:
            self.failed(str(event["error"]))
        elif event.get("id") == "moby.image.id":
            aux = event.get("aux")
            self.image = str(aux.get("ID", "")) if isinstance(aux, dict) else ""
        elif event.get("id") == "moby.buildkit.trace":
            try:
                for record in decode(base64.b64decode(event.get("aux", ""))):
                    self._record(record)
            except (ValueError, TypeError):
                # Ignore invalid progress records, because engines may send other forms. They must not fail a build.
                return

    def failed(self, text: str) -> None:
        """Raise an error with all that is known about a failure."""
        vertex = next((candidate for candidate in self._vertexes.values() if candidate.error), None)
        whole = text if vertex is None else f"{vertex.name}\n{vertex.error}"
        if known := self._explain(whole):
            brief, hint = known
            raise EnvctlError(
                f"cannot build {self._unit}: {brief}",
                details=whole,
                hint=hint,
                where=self._source.where,
            )
        if copy := self._failed_copy(whole):
            raise EnvctlError(
                f"cannot build {self._unit}: the stage {copy.stage} has nothing at {copy.source}",
                details=whole,
                hint="`from` is a file or folder that a step of the stage puts there",
                where=copy.where or self._source.where,
            )
        if vertex is None:
            raise EnvctlError(
                f"cannot build {self._unit}: {text.strip().splitlines()[-1] if text.strip() else 'unknown'}",
                details=text,
                hint=self._hint(text),
                where=self._source.where,
            )
        name, where = self._step(vertex)
        # If the step failed in the middle of a line, the beginning of that line would be lost.
        self._flush(vertex.digest)
        lines = self._outputs.get(vertex.digest, ())
        code = re.search(r"exit code: (\d+)", vertex.error)
        ending = (
            f"exit code {code[1]}"
            if code
            else (vertex.error.strip() or "no reason given").splitlines()[0]
        )
        raise EnvctlError(
            f"cannot build {self._unit}: {name} failed ({ending})",
            details="\n".join(f"  {line}" for line in lines),
            hint=self._hint(vertex.error)
            or "fix the step and run the same command again; earlier steps are not repeated",
            where=where,
        )

    # --- parts

    def _record(self, record: Vertex | Output) -> None:
        if isinstance(record, Output):
            self._print(record)
            return
        before = self._vertexes.get(record.digest)
        self._vertexes[record.digest] = record
        if record.cached and not (before and before.cached):
            self._tell(f"{self._step(record)[0]} (cached)", record)
        elif record.started and not record.completed and not (before and before.started):
            self._tell(self._step(record)[0], record)

    def _tell(self, text: str, vertex: Vertex) -> None:
        if not vertex.name.startswith("[internal]"):
            self._report(Progress(f"build {self._unit}", Stage.WORKING, text))

    def _print(self, output: Output) -> None:
        data = self._partial.pop(output.vertex, b"") + output.data
        *lines, remainder = re.split(rb"\r\n|\n|\r", data)
        if len(remainder) > _LONGEST:
            lines, remainder = [*lines, remainder], b""
        if remainder:
            self._partial[output.vertex] = remainder
        for line in lines:
            self._line(output.vertex, line)

    def _flush(self, vertex: str) -> None:
        if remainder := self._partial.pop(vertex, b""):
            self._line(vertex, remainder)

    def _line(self, vertex: str, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._outputs.setdefault(vertex, deque(maxlen=SHOWN_LINES)).append(text)
            self._report(Progress(f"build {self._unit}", Stage.WORKING, text))

    def _step(self, vertex: Vertex) -> tuple[str, Place | None]:
        """The step of the spec that a vertex belongs to, as text, and its place.

        The builder numbers FROM and every instruction that makes a layer. Each of our steps makes one; FROM is not a
        step of the spec.
        """
        match = _NUMBERED.match(vertex.name)
        if match is None:
            return vertex.name.strip().partition("\n")[0], self._source.where
        number, of, instruction = int(match[2]), int(match[3]), match[4].partition("\n")[0]
        if not isinstance(self._source, Build):
            return f"step {number}/{of} {instruction}", self._source.where
        stage = next((stage for stage in match[1].split() if stage in self._stages), "")
        steps = (self._stages[stage] if stage else self._source).steps
        if 2 <= number <= len(steps) + 1:
            step = steps[number - 2]
            of_stage = f"stage {stage}: " if stage else ""
            shown = f"step {number - 1}/{len(steps)} {of_stage}{step_text(step)}"
            return shown, step.where or self._source.where
        return instruction, self._source.where

    def _failed_copy(self, text: str) -> CopyFromStage | None:
        """The copy from a stage that found nothing."""
        steps = self._source.all_steps if isinstance(self._source, Build) else ()
        missing = _MISSING.findall(text)
        copies = (step for step in steps if isinstance(step, CopyFromStage))
        return next((step for step in copies if step.source in missing), None)

    def _hint(self, text: str) -> str:
        bases = self._source.bases if isinstance(self._source, Build) else ()
        for image in (base.image for base in bases if any(sign in text for sign in _NOT_AT_HAND)):
            if image in text or image.split(":")[0] in text:
                return f"the base {image} does not exist yet: `envctl base build {image}`"
        return ""
