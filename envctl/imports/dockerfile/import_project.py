"""A project's Dockerfile to the files of a spec, with the report. Nothing is run or written here."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Any, Final, NoReturn

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, SpecPath
from envctl.definition.problems import Problems
from envctl.detect.dockerfile_reader import DockerfileError, Instruction
from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside
from envctl.imports.compose.limit_rules import DEFAULT_CAPABILITIES
from envctl.imports.compose.service_import import slug
from envctl.imports.dockerfile.dockerfile_stages import (
    DockerfileStage,
    StagedDockerfile,
    read_stages,
)
from envctl.imports.dockerfile.image_settings import (
    PATH,
    SETTERS,
    ImageSettings,
    UntranslatableError,
    add_arguments,
)
from envctl.imports.dockerfile.translate import Translation
from envctl.imports.dockerfile.translation_notes import STAYS
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import spec_files

NAMES: Final = ("Dockerfile", "Containerfile")
_SERVICE: Final = "web"
_MAX_BYTES: Final = 1024 * 1024
_TARGETED: Final = ("EXPOSE", "HEALTHCHECK", "VOLUME")
"""Instructions that the spec repeats although the image has them."""
_ORDER: Final = (
    "base",
    "dockerfile",
    "platform",
    "packages",
    "build_args",
    "stages",
    "build",
    "user",
    "workdir",
    "env",
    "command",
    "ports",
    "volumes",
    "healthcheck",
    "capabilities",
    "options",
)


def import_project(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a Dockerfile. SpecError at the line that is not valid; EnvctlError if it cannot be read."""
    return _Import(root, file, choices).run()


class _Import:
    def __init__(self, root: Path, file: str, choices: ImportChoices) -> None:
        self.root = root
        self.file = file
        self.choices = choices
        self.report = ConversionReport()

    def run(self) -> ImportedProject:
        text = self._text()
        try:
            dockerfile = read_stages(text)
            service = self._service(dockerfile)
        except DockerfileError as error:
            self._refuse(text, error)
        name = slug(self.root.resolve().name) or "project"
        spec: dict[str, Any] = {"project": name, "default": "dev"}
        secrets = service.pop("secrets", {})
        if secrets:
            spec["secrets"] = secrets
        ordered = {key: service[key] for key in _ORDER if key in service}
        spec["services"] = {_SERVICE: ordered}
        return ImportedProject(spec_files(spec, {"dev": spec}), self.report, (self.file,))

    def _text(self) -> str:
        try:
            return read_inside(self.root, self.file, largest=_MAX_BYTES).decode("utf-8")
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise EnvctlError(
                f"{self.file} is not a text in UTF-8", hint="name a Dockerfile"
            ) from error

    def _refuse(self, text: str, error: DockerfileError) -> NoReturn:
        problems = Problems()
        problems.add_source(self.file, text)
        at = (self.file, error.line, 1)
        problems.add(at, error.message, expected=error.expected, hint=error.hint)
        problems.stop()
        raise AssertionError from error

    def _service(self, dockerfile: StagedDockerfile) -> dict[str, Any]:
        image = _KeptImage(self, dockerfile)
        settings = image.settings(dockerfile.stages[-1])
        if not self.choices.translate:
            return image.service(settings)
        user = settings.user.partition(":")[0]
        translation = Translation(self.root, dockerfile, "" if user in ("root", "0") else user)
        service = translation.service()
        last = dockerfile.stages[-1]
        blockers = [(each.instruction, each.reason) for each in translation.blockers]
        if not blockers and not "".join(translation.last.settings.process[:1]).strip():
            blockers = [(last.start, "it has neither CMD nor ENTRYPOINT; remedy: say what it runs")]
        if blockers:
            for instruction, reason in blockers:
                note = f"{instruction.name} has no counterpart, so the service keeps `dockerfile`: {reason}"
                self.add(instruction, KeyOutcome.DROPPED, note, path="--translate")
            return image.service(settings)
        return self._translated(dockerfile, translation, service)

    def _translated(
        self, dockerfile: StagedDockerfile, translation: Translation, service: dict[str, Any]
    ) -> dict[str, Any]:
        build, settings = translation.last, translation.last.settings
        name = build.user_name
        service["user"] = (
            {"name": name, "uid": build.uid} if build.uid is not None else name or "root"
        )
        env = {key: value for key, value in settings.env.items() if (key, value) != ("PATH", PATH)}
        if env:
            service["env"] = env
        if settings.workdir != "/":
            service["workdir"] = settings.workdir
        service["command"] = [*settings.process]
        if settings.stop_signal:
            service["options"] = {
                backend: {"stop_signal": settings.stop_signal} for backend in ("docker", "vagrant")
            }
        if translation.secrets:
            service["secrets"] = {
                each: {"env": each.upper()} for each in sorted(translation.secrets)
            }
        self.directives(dockerfile, KeyOutcome.TRANSLATED, "nothing: a spec has no such thing")
        for instruction in dockerfile.before:
            self.add(instruction, KeyOutcome.TRANSLATED, "its value where it is used")
        for line in translation.lines:
            path = translation.path_of(line)
            self.add(line.instruction, line.outcome, line.note, path)
        self._ignore_file()
        return self.run_keys(service, settings, dockerfile.stages[-1].start)

    def _ignore_file(self) -> None:
        """Copies use the project's own ignore file, not that of the Dockerfile."""
        path = f"{self.file}.dockerignore"
        if os.path.lexists(self.root / path):
            reason = (
                "copy steps use .dockerignore or .envctlignore; remedy: rename it .envctlignore"
            )
            self.report.add((path, 1, 1), path, KeyOutcome.DROPPED, reason)

    def directives(self, dockerfile: StagedDockerfile, outcome: KeyOutcome, note: str) -> None:
        for line, name, _ in dockerfile.parsed.directives:
            self.report.add((self.file, line, 1), f"# {name}", outcome, note)

    def run_keys(
        self, service: dict[str, Any], settings: ImageSettings, start: Instruction
    ) -> dict[str, Any]:
        """Add the keys of a service that an image does not bring along."""
        if settings.ports:
            service["ports"] = [*settings.ports]
        if settings.volumes:
            service["volumes"] = _volumes(settings.volumes)
        if settings.healthcheck is not None:
            service["healthcheck"] = dict(settings.healthcheck)
        is_root = settings.user.partition(":")[0] in ("", "root", "0")
        if is_root and not self.choices.harden:
            service["capabilities"] = sorted(DEFAULT_CAPABILITIES)
            note = (
                "a container with Docker's own capabilities, on which an image that starts as root may rely:"
                " --harden leaves them out"
            )
            self.add(start, KeyOutcome.TRANSLATED, note, ("capabilities",), path="capabilities")
        return service

    def add(
        self,
        instruction: Instruction,
        outcome: KeyOutcome,
        note: str = "",
        new_path: SpecPath = (),
        *,
        path: str = "",
    ) -> None:
        """Say what became of an instruction."""
        at = (self.file, instruction.line, 1)
        new = ("services", _SERVICE, *new_path) if new_path else ()
        self.report.add(at, path or instruction.name, outcome, note, new)


class _KeptImage:
    """A service that is built from the Dockerfile as it is."""

    def __init__(self, project: _Import, dockerfile: StagedDockerfile) -> None:
        self.project = project
        self.dockerfile = dockerfile
        self.invalid: dict[int, str] = {}
        """Why the spec cannot repeat an instruction, by its line."""

    def settings(self, stage: DockerfileStage) -> ImageSettings:
        """The settings of a stage, as far as they are known."""
        chain = [stage]
        while (parent := self.dockerfile.parent(chain[-1])) is not None:
            chain.append(parent)
        settings = ImageSettings(self.dockerfile.parsed.escape, is_strict=True, env={"PATH": PATH})
        for each in reversed(chain):
            settings = settings.copy()
            for instruction in each.instructions:
                self._apply(settings, instruction)
        return settings

    def _apply(self, settings: ImageSettings, instruction: Instruction) -> None:
        try:
            if instruction.name == "ARG":
                add_arguments(settings, instruction, self.dockerfile.arguments)
            elif instruction.name in SETTERS:
                SETTERS[instruction.name](settings, instruction)
        except UntranslatableError as error:
            self.invalid[instruction.line] = str(error)

    def service(self, settings: ImageSettings) -> dict[str, Any]:
        """The service, with a line for each instruction."""
        project, dockerfile = self.project, self.dockerfile
        project.directives(dockerfile, KeyOutcome.SAME, "")
        for instruction in dockerfile.before:
            project.add(instruction, KeyOutcome.SAME, STAYS["ARG"].replace("`", ""))
        for stage in dockerfile.stages:
            project.add(stage.start, KeyOutcome.SAME, "", ("dockerfile",))
            for instruction in stage.instructions:
                self._report(stage, instruction)
        file = project.file if posixpath.normpath(project.file) == project.file else "Dockerfile"
        return project.run_keys({"dockerfile": file}, settings, dockerfile.stages[-1].start)

    def _report(self, stage: DockerfileStage, instruction: Instruction) -> None:
        name, is_last = instruction.name, stage is self.dockerfile.stages[-1]
        add = self.project.add
        if name == "RUN":
            self._report_mounts(instruction)
        if is_last and name in _TARGETED and instruction.line in self.invalid:
            add(instruction, KeyOutcome.DROPPED, self.invalid[instruction.line])
        elif is_last and name in _TARGETED:
            key = {"EXPOSE": "ports", "VOLUME": "volumes"}.get(name, "healthcheck")
            note = STAYS[name].partition("and ")[2].replace("`", "")
            add(instruction, KeyOutcome.TRANSLATED, note, (key,))
        else:
            add(instruction, KeyOutcome.SAME, "in the image", ("dockerfile",))

    def _report_mounts(self, instruction: Instruction) -> None:
        for name, value in instruction.flags:
            if name == "mount" and ("type=secret" in value or "type=ssh" in value):
                reason = (
                    "a build from a Dockerfile gets no secrets and no SSH agent; remedy: --translate, or a `run` step"
                    " with `secrets`"
                )
                self.project.add(instruction, KeyOutcome.DROPPED, reason, path="RUN --mount")


def _volumes(targets: list[str]) -> dict[str, str]:
    """A name for each path."""
    volumes: dict[str, str] = {}
    for target in targets:
        name = slug(target.rpartition("/")[2], also="_", longest=36) or "data"
        name = f"{name}-{len(volumes)}" if name in volumes else name
        volumes[name] = target
    return volumes
