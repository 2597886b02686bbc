"""What is sent to the builder: one tar of a Dockerfile and the files it copies."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from envctl.backends.docker.dockerfiles import (
    ContextFile,
    Render,
    context_files,
    dockerfile,
    trust_files,
)
from envctl.errors import EnvctlError
from envctl.plan.model import Build, DockerfileBuild

DOCKERFILE: Final = ".envctl.Dockerfile"
"""A name of its own, so that it is not taken for a file of the project."""


def dockerfile_path(build: Build | DockerfileBuild) -> str:
    """Where the Dockerfile is in what is sent: in its own place, if it lies in the context."""
    if isinstance(build, DockerfileBuild):
        path = posixpath.relpath(build.dockerfile, build.context)
        if not path.startswith("../"):
            return path
    return DOCKERFILE


@dataclass(frozen=True, slots=True)
class Sender:
    """Writes build contexts of one project; `trust` is the bundle of certificates builds trust, if any."""

    root: Path
    render: Render
    trust: Path | None = None

    def write(self, build: Build | DockerfileBuild, to: BinaryIO) -> None:
        """Write the context as a tar. The same files give the same bytes, whatever their times."""
        # GNU format: the builder does not recognise an archive that begins with a PAX header.
        with tarfile.open(fileobj=to, mode="w", format=tarfile.GNU_FORMAT) as tar:
            if isinstance(build, Build):
                self._own(build, tar)
            else:
                self._theirs(build, tar)

    def _own(self, build: Build, tar: tarfile.TarFile) -> None:
        text = dockerfile(build, up=True, render=self.render, trust=self.trust is not None)
        _add_text(tar, DOCKERFILE, text)
        for path, file in sorted(context_files(build).items()):
            self._add(tar, path, file)
        if self.trust is not None:
            bundle = self.trust.read_text("utf-8", "replace")
            for path, text in trust_files(bundle).items():
                _add_text(tar, path, text)

    def _theirs(self, build: DockerfileBuild, tar: tarfile.TarFile) -> None:
        sent = {posixpath.relpath(path, build.context): path for path in build.files}
        for path, source in sorted({**sent, dockerfile_path(build): build.dockerfile}.items()):
            self._add(tar, path, ContextFile(source=source))

    def _add(self, tar: tarfile.TarFile, path: str, file: ContextFile) -> None:
        if file.text is not None:
            _add_text(tar, path, file.text, 0o644 if file.mode is None else file.mode)
            return
        source = self.root / file.source
        try:
            entry = _entry(path, 0o644 if file.mode is None else file.mode)
            if source.is_symlink():
                entry.type, entry.linkname = tarfile.SYMTYPE, str(source.readlink())
                tar.addfile(entry)
                return
            with source.open("rb") as content:
                found = source.stat()
                entry.size = found.st_size
                if file.mode is None:
                    entry.mode = 0o755 if found.st_mode & 0o111 else 0o644
                tar.addfile(entry, content)
        except OSError as error:
            raise EnvctlError(
                f"{file.source} cannot be read for the build: {error.strerror or error}",
                hint="it may have changed meanwhile: run the same command again",
            ) from error


def _add_text(tar: tarfile.TarFile, path: str, text: str, mode: int = 0o644) -> None:
    data = text.encode("utf-8", "surrogateescape")
    entry = _entry(path, mode)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _entry(path: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode = mode
    return entry


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as the builder's API takes them."""
    return json.dumps(labels, ensure_ascii=True, sort_keys=True)
