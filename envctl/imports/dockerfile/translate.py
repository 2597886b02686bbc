"""A Dockerfile to packages and steps: the last stage becomes the service, others that it copies from its stages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome, SpecPath
from envctl.definition.keys.scalars import USER_NAME
from envctl.definition.service_readers import platform
from envctl.definition.tree import ScalarNode
from envctl.definition.value_readers import InvalidValue
from envctl.detect.dockerfile_reader import Instruction
from envctl.imports.compose.service_import import slug
from envctl.imports.dockerfile.copy_rules import CopyTranslation
from envctl.imports.dockerfile.dockerfile_stages import DockerfileStage, StagedDockerfile
from envctl.imports.dockerfile.image_settings import (
    PATH,
    SETTERS,
    ImageSettings,
    UntranslatableError,
    add_arguments,
)
from envctl.imports.dockerfile.run_rules import RunTranslation, outcome_notes
from envctl.imports.dockerfile.stage_build import (
    StageBuild,
    catalogue_base,
    shared_env,
    without_env,
)
from envctl.imports.dockerfile.translation_notes import NOTES, InstructionLine
from envctl.lazy_dataclass import dataclass

_LABELS: Final = "envctl owns the labels of what it makes"
_NOT_IN_A_SPEC: Final = {
    "LABEL": f"{_LABELS}; remedy: none is needed to run it",
    "MAINTAINER": f"{_LABELS}; remedy: a comment in the spec",
    "ONBUILD": "it is for images that are built on this one; remedy: put it into these",
}
_SAME_PLATFORM: Final = (
    "",
    "$BUILDPLATFORM",
    "$TARGETPLATFORM",
    "${BUILDPLATFORM}",
    "${TARGETPLATFORM}",
)


@dataclass(frozen=True, slots=True)
class Blocker:
    """An instruction that has no counterpart, and why."""

    instruction: Instruction
    reason: str


class Translation:
    """Builds the service. If there are `blockers`, it is not to be used."""

    def __init__(self, root: Path, dockerfile: StagedDockerfile, user: str) -> None:
        self.root = root
        self.dockerfile = dockerfile
        self.user = user
        self.blockers: list[Blocker] = []
        self.lines: list[InstructionLine] = []
        self.secrets: set[str] = set()
        self.platform = ""
        self._builds: dict[int, StageBuild] = {}
        self._names: dict[int, str] = {}
        """The stages that are copied from, with their names in the spec."""

    def service(self) -> dict[str, Any]:
        """The service, without what its settings say about how it runs."""
        last = self.dockerfile.stages[-1]
        build = self._build(last)
        service: dict[str, Any] = {"base": build.base}
        if self.platform:
            service["platform"] = self.platform
        stages = {name: self._stage(index) for index, name in sorted(self._names.items())}
        service |= _parts(build, has_stages=bool(stages))
        if stages:
            service["stages"] = stages
        self._report_unused()
        return service

    @property
    def last(self) -> StageBuild:
        """The build of the last stage."""
        return self._build(self.dockerfile.stages[-1])

    def _stage(self, index: int) -> dict[str, Any]:
        build = self._builds[index]
        base = {} if build.base == self.last.base else {"base": build.base}
        return {**base, **_parts(build, has_stages=False)}

    def _build(self, stage: DockerfileStage) -> StageBuild:
        if stage.index not in self._builds:
            build = self._start(stage)
            self._builds[stage.index] = build
            for instruction in stage.instructions:
                try:
                    self._apply(stage, build, instruction)
                except UntranslatableError as error:
                    self.blockers.append(Blocker(instruction, str(error)))
        return self._builds[stage.index]

    def _start(self, stage: DockerfileStage) -> StageBuild:
        parent = self.dockerfile.parent(stage)
        if parent is not None:
            self._add(stage, stage.start, f"the steps of the stage {parent.name or parent.index}")
            return self._build(parent).copy()
        settings = ImageSettings(self.dockerfile.parsed.escape, is_strict=False, env={"PATH": PATH})
        build = StageBuild(self.root, "", settings, user=self.user)
        try:
            self._check_platform(stage)
            build.base = catalogue_base(stage.image)
            self._add(stage, stage.start, "base", ("base",))
        except UntranslatableError as error:
            self.blockers.append(Blocker(stage.start, str(error)))
        return build

    def _check_platform(self, stage: DockerfileStage) -> None:
        if stage.platform in _SAME_PLATFORM:
            return
        if stage.index != len(self.dockerfile.stages) - 1:
            raise UntranslatableError(
                "a stage has the platform of its service", "the platform of the last stage, or none"
            )
        try:
            self.platform = platform(stage.platform)
        except InvalidValue as error:
            raise UntranslatableError(error.message, error.expected) from error

    def _stage_name(self, word: str, *, before: int) -> str:
        stage = self.dockerfile.stage(word, before=before)
        if stage is None:
            raise UntranslatableError(
                f"{word[:60]!r} is not an earlier stage, and files of other images cannot be copied",
                "a stage that installs what is needed",
            )
        if stage.index not in self._names:
            name = slug(stage.name, also="_") if stage.name else f"stage-{stage.index}"
            is_duplicate = name in self._names.values()
            self._names[stage.index] = f"{name[:34]}-{stage.index}" if is_duplicate else name
            self._build(stage)
        return self._names[stage.index]

    # --- one instruction

    def _apply(self, stage: DockerfileStage, build: StageBuild, instruction: Instruction) -> None:
        name = instruction.name
        if name in _NOT_IN_A_SPEC:
            self._drop(stage, instruction, _NOT_IN_A_SPEC[name])
        elif name == "RUN":
            self._run(stage, build, instruction)
        elif name in ("COPY", "ADD"):
            self._copy(stage, build, instruction)
        elif name == "ARG":
            add_arguments(build.settings, instruction, self.dockerfile.arguments)
            self._add(stage, instruction, NOTES[name], ("build",))
        else:
            SETTERS[name](build.settings, instruction)
            self._set(stage, build, instruction)

    def _set(self, stage: DockerfileStage, build: StageBuild, instruction: Instruction) -> None:
        name = instruction.name
        if name == "USER":
            self._check_user(stage, build, instruction)
        if stage.index == len(self.dockerfile.stages) - 1 or name in (
            "ENV",
            "SHELL",
            "USER",
            "WORKDIR",
        ):
            self._add(stage, instruction, NOTES[name], _PATHS.get(name, ()))
        else:
            self._add(stage, instruction, "nothing, but for stages that start from this one")

    def _check_user(
        self, stage: DockerfileStage, build: StageBuild, instruction: Instruction
    ) -> None:
        name, colon, group = build.settings.user.partition(":")
        try:
            USER_NAME.parse(ScalarNode(name, ("", 0, 0)))
        except InvalidValue as error:
            raise UntranslatableError(error.message, error.expected) from error
        if colon and group != name:
            reason = f"a spec has no group: {group[:40]!r} is that of the user; remedy: create the user with it"
            self._drop(stage, instruction, reason)

    def _run(self, stage: DockerfileStage, build: StageBuild, instruction: Instruction) -> None:
        is_last = self._is_service(stage)
        run = RunTranslation(build, instruction, is_last=is_last)
        begin = len(build.steps)
        run.apply()
        self.secrets |= {*run.secrets}
        path: SpecPath = ("packages",) if "packages" in run.notes else ("user",)
        if len(build.steps) > begin:
            path = ("build", begin)
        self._add(stage, instruction, outcome_notes(run.notes), path)
        for reason in dict.fromkeys(run.dropped):
            self._drop(stage, instruction, reason)

    def _is_service(self, stage: DockerfileStage) -> bool:
        """Whether a stage becomes the service itself: it is the last, or the last starts from it."""
        current: DockerfileStage | None = self.dockerfile.stages[-1]
        while current is not None and current.index != stage.index:
            current = self.dockerfile.parent(current)
        return current is not None and stage.index not in self._names

    def _copy(self, stage: DockerfileStage, build: StageBuild, instruction: Instruction) -> None:
        names = partial(self._stage_name, before=stage.index)
        copy = CopyTranslation(build, instruction, names)
        begin = len(build.steps)
        copy.apply()
        self._add(stage, instruction, "; ".join(copy.notes), ("build", begin))

    # --- the report

    def _add(
        self, stage: DockerfileStage, instruction: Instruction, note: str, path: SpecPath = ()
    ) -> None:
        self.lines.append(
            InstructionLine(instruction, KeyOutcome.TRANSLATED, note, stage.index, path)
        )

    def _drop(self, stage: DockerfileStage, instruction: Instruction, reason: str) -> None:
        self.lines.append(InstructionLine(instruction, KeyOutcome.DROPPED, reason, stage.index))

    def _report_unused(self) -> None:
        for stage in self.dockerfile.stages:
            if stage.index not in self._builds:
                for instruction in (stage.start, *stage.instructions):
                    self._add(stage, instruction, "nothing: no stage that is needed uses it")

    def path_of(self, line: InstructionLine) -> SpecPath:
        """The path in the service that a line is about."""
        if not line.path:
            return ()
        name = self._names.get(line.stage)
        if name is None:
            return line.path
        is_in_stage = line.path[0] in ("base", "packages", "build")
        return ("stages", name, *line.path) if is_in_stage else ()


_PATHS: Final[Mapping[str, SpecPath]] = {
    "CMD": ("command",),
    "ENTRYPOINT": ("command",),
    "ENV": ("env",),
    "EXPOSE": ("ports",),
    "HEALTHCHECK": ("healthcheck",),
    "STOPSIGNAL": ("options",),
    "USER": ("user",),
    "VOLUME": ("volumes",),
    "WORKDIR": ("workdir",),
}


def _parts(build: StageBuild, *, has_stages: bool) -> dict[str, Any]:
    """The packages and steps of a build; variables that all commands have stand once, if stages do not see them."""
    env = {} if has_stages else shared_env(build.steps)
    steps = [without_env(step) for step in build.steps] if env else build.steps
    parts: dict[str, Any] = {"packages": build.packages, "build_args": dict(env), "build": steps}
    return {key: value for key, value in parts.items() if value}
