"""Images built by BuildKit through the engine's own API, with progress step by step."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from envctl.backends.building import Supplies
from envctl.backends.docker import names as n
from envctl.backends.docker.buildcontext import Sender, dockerfile_path, labels_text
from envctl.backends.docker.client import Engine
from envctl.backends.docker.names import Names
from envctl.backends.docker.trace import Output, Vertex, decode
from envctl.errors import EnvctlError, Place
from envctl.plan.build_causes import build_text
from envctl.plan.model import Build, DockerfileBuild
from envctl.plan.progress import Progress, Report, Stage
from envctl.plan.text import step_text

CONNECT_TIMEOUT: Final = 15.0
QUIET_TIMEOUT: Final = 3600.0
"""Seconds a build may go without a word, as long as its engine is alive."""
LONGEST: Final = 6 * 3600.0
"""Seconds it may take."""
SHOWN_LINES: Final = 30
"""How much of a failed step's output an error shows."""

_LONGEST: Final = 16 * 1024
"""Bytes of a line: what is longer is told in parts, as it comes."""
_IN_MEMORY: Final = 32 * 1024 * 1024
_NUMBERED: Final = re.compile(r"^\[(?:\S+ )?\s*(\d+)/(\d+)\] (.*)", re.DOTALL)
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_LOOPBACK: Final = re.compile(r"//(?:[^@/]*@)?(?:localhost|127\.|\[::1\])")
_NOT_AT_HAND: Final = ("failed to resolve source metadata", "pull access denied", "failed to do request", "failed to authorize", "not found")  # fmt: skip


def build(
    wanted: Build | DockerfileBuild,
    unit: str,
    *,
    engine: Engine,
    names: Names,
    sender: Sender,
    report: Report,
) -> str:
    """Make the image of a build; its id. EnvctlError names the failing step, its output and its place."""
    from envctl.backends.docker.api import watched

    watch = Watch(wanted, unit, report)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as context:
        sender.write(wanted, context)  # type: ignore[arg-type]
        context.seek(0)
        with (
            engine.doing(f"build {unit}", where=wanted.where) as api,
            api.post(
                f"{api.base_url}/v{api.api_version}/build",
                params=_parameters(wanted, names, sender.supplies),
                data=iter(lambda: context.read(1 << 20), b""),
                headers={"Content-Type": "application/x-tar"},
                timeout=(CONNECT_TIMEOUT, QUIET_TIMEOUT),
                stream=True,
            ) as answer,
        ):
            if answer.status_code >= 400:
                watch.failed(str(_json(answer.content).get("message", "")))
            with watched(api, answer, longest=LONGEST) as came:
                for event in _events(answer.iter_lines()):
                    came()
                    watch.take(event)
    if not watch.image:
        watch.failed("the builder ended without an image")
    return watch.image


def _parameters(
    wanted: Build | DockerfileBuild, names: Names, supplies: Supplies
) -> Mapping[str, str]:
    arguments = {**proxies(), **(wanted.args if isinstance(wanted, DockerfileBuild) else {})}
    labels = {
        n.PROJECT: names.scope.project,
        n.BUILD: wanted.digest,
        n.STEPS: build_text(wanted),
    }
    return {
        "version": "2",
        "t": names.image(wanted),
        "dockerfile": dockerfile_path(wanted),
        "labels": labels_text(labels),
        "buildargs": json.dumps(arguments),
        "target": wanted.target if isinstance(wanted, DockerfileBuild) else "",
        "rm": "1",
        "forcerm": "1",
        **({"networkmode": "none"} if supplies.offline else {}),
        **({"nocache": "1"} if supplies.fresh else {}),
    }


def proxies() -> dict[str, str]:
    """The host's proxies, which the builder passes on without keeping them; not those only the host reaches."""
    found = {name: os.environ.get(name, "") for name in _PROXIES}
    return {name: value for name, value in found.items() if value and not _LOOPBACK.search(value)}


class Watch:
    """Follows one build: tells its progress, keeps what is needed to explain a failure."""

    def __init__(self, wanted: Build | DockerfileBuild, unit: str, report: Report) -> None:
        self.image = ""
        self._wanted = wanted
        self._unit = unit
        self._report = report
        self._vertexes: dict[str, Vertex] = {}
        self._outputs: dict[str, deque[str]] = {}
        self._partial: dict[str, bytes] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """One record of the builder's answer. EnvctlError if it says that the build failed."""
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
                # Progress is not worth a build: an engine may send records of another kind.
                return

    def failed(self, text: str) -> None:
        """Raise what is known about a failure."""
        vertex = next((one for one in self._vertexes.values() if one.error), None)
        if vertex is None:
            raise EnvctlError(
                f"cannot build {self._unit}: {text.strip().splitlines()[-1] if text.strip() else 'unknown'}",
                details=text,
                hint=self._hint(text),
                where=self._wanted.where,
            )
        name, where = self._step(vertex)
        # A failure in the middle of a line must not lose that line.
        self._flush(vertex.digest)
        lines = self._outputs.get(vertex.digest, ())
        code = re.search(r"exit code: (\d+)", vertex.error)
        ending = f"exit code {code[1]}" if code else vertex.error.strip().splitlines()[0]
        raise EnvctlError(
            f"cannot build {self._unit}: {name} failed ({ending})",
            details="\n".join(f"  {line}" for line in lines),
            hint=self._hint(vertex.error)
            or "mend the step and run the same command again; the steps before it are not repeated",
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
        *lines, rest = re.split(rb"\r\n|\n|\r", data)
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest], b""
        if rest:
            self._partial[output.vertex] = rest
        for line in lines:
            self._line(output.vertex, line)

    def _flush(self, vertex: str) -> None:
        if rest := self._partial.pop(vertex, b""):
            self._line(vertex, rest)

    def _line(self, vertex: str, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._outputs.setdefault(vertex, deque(maxlen=SHOWN_LINES)).append(text)
            self._report(Progress(f"build {self._unit}", Stage.WORKING, text))

    def _step(self, vertex: Vertex) -> tuple[str, Place | None]:
        """Which of the spec's steps a vertex is, in words, and where that stands.

        The builder numbers FROM and what makes a layer; each of our steps makes one. FROM is no step of the spec's, and has no number.
        """
        match = _NUMBERED.match(vertex.name)
        if match is None:
            return vertex.name.strip().partition("\n")[0], self._wanted.where
        number, of, said = int(match[1]), int(match[2]), match[3].partition("\n")[0]
        if not isinstance(self._wanted, Build):
            return f"step {number}/{of} {said}", self._wanted.where
        steps = self._wanted.steps
        if 2 <= number <= len(steps) + 1:
            step = steps[number - 2]
            shown = f"step {number - 1}/{len(steps)} {step_text(step)}"
            return shown, step.where or self._wanted.where
        return said, self._wanted.where

    def _hint(self, text: str) -> str:
        if isinstance(self._wanted, Build) and any(sign in text for sign in _NOT_AT_HAND):
            image = self._wanted.base.image
            if image in text or image.split(":")[0] in text:
                return f"the base {image} is not at hand: `envctl base build {image}`"
        return ""


def _events(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if event := _json(line):
            yield event


def _json(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
