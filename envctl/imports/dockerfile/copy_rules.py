"""COPY and ADD become steps."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Callable
from typing import Any, Final

from envctl.definition.path_readers import project_path, stage_path, unit_path
from envctl.definition.service_readers import mode, owner
from envctl.definition.value_readers import InvalidValue
from envctl.detect.dockerfile_reader import Instruction
from envctl.detect.dockerfile_words import exec_form
from envctl.errors import EnvctlError
from envctl.host.safe_read import real_path
from envctl.imports.dockerfile.image_settings import UntranslatableError
from envctl.imports.dockerfile.stage_build import PlainCommand, StageBuild, is_plain_folder

_ARCHIVE: Final = re.compile(r"\.(tar|tgz|tbz2|txz|tar\.(gz|bz2|xz|zst))\Z", re.IGNORECASE)
_WILDCARD: Final = re.compile(r"[*?\[\]]")
_OWN_FILES: Final = ("/envctl.*", "/environments/dev.yaml")
"""Files that the import writes: the image has none of them, and their changes lead to no build."""
_WRITE: Final = 'mkdir -p -- "$(dirname -- "$2")"; printf %s "$1" >"$2"'
_FLAGS: Final = frozenset(("chown", "chmod", "from", "link", "exclude"))
StageName = Callable[[str], str]
"""The name of a stage in the spec, by its name or number in the Dockerfile."""


class CopyTranslation:
    """One COPY or ADD on its way to steps."""

    def __init__(self, build: StageBuild, instruction: Instruction, stage_name: StageName) -> None:
        self.build = build
        self.instruction = instruction
        self.stage_name = stage_name
        flags = instruction.flags
        self.flags = {name: build.settings.text(value) for name, value in flags}
        self.exclude = [build.settings.text(value) for name, value in flags if name == "exclude"]
        self.notes: list[str] = []

    def apply(self) -> None:
        """Add the steps. UntranslatableError if there are none that do the same."""
        if unknown := self.flags.keys() - _FLAGS:
            raise UntranslatableError(f"a copy step has no --{min(unknown)}", "COPY without it")
        words = self._words()
        if len(words) < 2:
            raise UntranslatableError("it has no target", "COPY SOURCE TARGET")
        *sources, target = words
        folder = self._target(target)
        if self.instruction.heredocs:
            self._write(sources, folder)
        elif "from" in self.flags:
            self._from_stage(sources, folder)
        else:
            self._from_project(sources, folder)

    def _words(self) -> list[str]:
        settings, text = self.build.settings, self.instruction.text
        if exec_form(text) is None and text.startswith("["):
            raise UntranslatableError("it is not a JSON list", 'COPY ["SOURCE", "TARGET"]')
        return settings.words(text)

    def _target(self, text: str) -> str:
        """The target; with a / at its end if it is a folder."""
        path = posixpath.join(self.build.settings.workdir, text)
        is_folder = text.endswith(("/", "/.")) or text in (".", "..", "")
        path = posixpath.normpath(path)
        path = "/" + path.lstrip("/")
        is_folder = is_folder or path in self.build.folders
        _check(unit_path, path)
        return f"{path.rstrip('/')}/" if is_folder else path

    def _owner(self) -> dict[str, str]:
        text = self.flags.get("chown", "")
        if text in ("", "root", "0", "root:root", "0:0"):
            return {}
        return {"owner": _check(owner, text)}

    # --- from the project

    def _from_project(self, sources: list[str], target: str) -> None:
        paths = [path for source in sources for path in self._matching(source)]
        if not paths:
            raise UntranslatableError(
                f"no file matches {' '.join(sources)[:60]}", "create it first"
            )
        if len(paths) > 1 and not target.endswith("/"):
            raise UntranslatableError(
                "several sources need a folder as target", f"COPY {sources[0]} {target}/"
            )
        for path in paths:
            self._copy(path, target)
        self.notes.append("a copy step" if len(paths) == 1 else f"{len(paths)} copy steps")
        if any(map(_WILDCARD.search, sources)):
            self.notes.append("the files that match now: add a step for a new one")

    def _matching(self, source: str) -> list[str]:
        if re.match(r"[a-z]+://|git@", source):
            raise UntranslatableError(
                f"it downloads {source[:60]}",
                "RUN curl with a check of its digest, or a file of the project",
            )
        path = posixpath.normpath(source.lstrip("/")) if source.strip("/") else "."
        path = _check(project_path, path)
        if self.instruction.name == "ADD" and _ARCHIVE.search(path):
            raise UntranslatableError("ADD unpacks an archive", "COPY it, and unpack it in RUN")
        if not _WILDCARD.search(path):
            return [path]
        folder, pattern = posixpath.split(path)
        if _WILDCARD.search(folder):
            raise UntranslatableError("a folder's name has a wildcard", "COPY the whole folder")
        return [
            posixpath.join(folder, name) for name in self._names(folder) if _is_match(name, pattern)
        ]

    def _names(self, folder: str) -> list[str]:
        """The names in a folder of the project, within limits."""
        try:
            with os.scandir(real_path(self.build.root, folder or ".")) as entries:
                names = [entry.name for entry, _ in zip(entries, range(20_000), strict=False)]
        except (OSError, EnvctlError):
            return []
        return sorted(names)

    def _copy(self, path: str, target: str) -> None:
        build = self.build
        is_folder = is_plain_folder(build.root, path)
        target = f"{target.rstrip('/')}/" if is_folder else target
        step: dict[str, Any] = {"from": path, "to": target, **self._owner()}
        if chmod := self.flags.get("chmod"):
            step["mode"] = _check(mode, chmod)
            if is_folder:
                raise UntranslatableError("the mode of a step is not that of folders", "RUN chmod")
        spec_files = _OWN_FILES if path == "." else ()
        if exclude := [*spec_files, *self.exclude]:
            step["exclude"] = exclude
        if target.startswith("/etc/apt"):
            build.touches_apt = True
        build.steps.append({"copy": step})
        build.copies.append((path, target))
        build.add_folder(
            target.rstrip("/") or "/" if target.endswith("/") else posixpath.dirname(target)
        )

    # --- from elsewhere

    def _from_stage(self, sources: list[str], target: str) -> None:
        stage = self.stage_name(self.flags["from"])
        for source in sources:
            path = _check(stage_path, posixpath.normpath(f"/{source.lstrip('/')}"))
            if len(sources) > 1 and not target.endswith("/"):
                raise UntranslatableError("several sources need a folder as target", f"{target}/")
            step = {"stage": stage, "from": path, "to": target, **self._owner()}
            self.build.steps.append({"copy_from": step})
            self._chmod(
                posixpath.join(target, posixpath.basename(path)) if target.endswith("/") else target
            )
        # What is copied may be one file or a folder: only what is above exists for sure.
        self.build.add_folder(posixpath.dirname(target.rstrip("/")) or "/")
        self.notes.append(f"a copy_from step of the stage {stage}")

    def _chmod(self, path: str) -> None:
        if chmod := self.flags.get("chmod"):
            self.build.steps.append(
                {"run": PlainCommand(["chmod", "-R", _check(mode, chmod), "--", path])}
            )

    def _write(self, sources: list[str], target: str) -> None:
        heredocs = self.instruction.heredocs
        if len(sources) != len(heredocs):
            raise UntranslatableError("it copies here-documents and files", "a COPY for each")
        for heredoc in heredocs:
            text = heredoc.text if heredoc.is_quoted else self._filled(heredoc.text)
            path = f"{target}{heredoc.word}" if target.endswith("/") else target
            self.build.steps.append(
                {"run": PlainCommand(["/bin/sh", "-ec", _WRITE, "write", text, path])}
            )
            self._chmod(path)
            if owner_of := self._owner():
                self.build.steps.append(
                    {"run": PlainCommand(["chown", owner_of["owner"], "--", path])}
                )
            self.build.add_folder(posixpath.dirname(path))
        self.notes.append("a run step that writes the text")

    def _filled(self, text: str) -> str:
        """A text with its variables replaced; quotes in it mean nothing."""
        escaped = re.sub(r"['\"]", lambda match: self.build.settings.escape + match[0], text)
        return self.build.settings.text(escaped)


def _is_match(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern.replace("[^", "[!"))


def _check(read: Callable[[Any], Any], text: str) -> str:
    """A text as a reader of the spec takes it."""
    try:
        read(text)
    except InvalidValue as error:
        raise UntranslatableError(error.message, error.expected) from error
    return text
