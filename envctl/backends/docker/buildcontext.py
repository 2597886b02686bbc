"""The build context that is sent to the builder: one tar with a Dockerfile and the files it copies."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import BinaryIO, Final

from envctl.backends.common.build_inputs import NO_BUILD_INPUTS, BuildInputs
from envctl.backends.common.build_tar import add_content, add_file, add_text
from envctl.backends.common.step_views import context_files, own_context, own_dockerfile
from envctl.backends.docker.dockerfiles import Render, dockerfile, trust_files
from envctl.host.planned_files import PlannedFiles
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, DockerfileBuild

DOCKERFILE: Final = ".envctl.Dockerfile"
"""A name that no project uses, so that it never replaces a file of the project."""
_APT: Final = "trust/apt.conf"


def dockerfile_path(build: Build | DockerfileBuild) -> str:
    """The path of the Dockerfile in the context: its own path if it lies in the context."""
    if isinstance(build, DockerfileBuild) and not build.text:
        path = posixpath.relpath(build.dockerfile, build.context)
        if not path.startswith("../"):
            return path
    return DOCKERFILE


@dataclass(frozen=True, slots=True)
class Sender:
    """Writes build contexts of one project; `trust` is the CA bundle that builds trust, or None.

    `build_inputs` go into the same folder, which is mounted while the build's commands run. `bases` are the names of
    base images for the engine, where they differ from their own.
    """

    root: Path
    render: Render
    trust: Path | None = None
    build_inputs: BuildInputs = NO_BUILD_INPUTS
    bases: Mapping[str, str] = field(default_factory=dict)

    def write(self, build: Build | DockerfileBuild, to: BinaryIO) -> None:
        """Write the context as a tar. Equal files give equal bytes, whatever their times."""
        # GNU format, because the builder does not recognise an archive that starts with a PAX header.
        with (
            PlannedFiles(self.root) as project,
            tarfile.open(fileobj=to, mode="w", format=tarfile.GNU_FORMAT) as tar,
        ):
            if isinstance(build, Build):
                self._write_generated(build, tar, project)
            else:
                self._write_own(build, tar, project)

    def _write_generated(self, build: Build, tar: tarfile.TarFile, project: PlannedFiles) -> None:
        text = dockerfile(
            build,
            up=True,
            render=self.render,
            trust=self.trust is not None,
            build_inputs=self.build_inputs,
            bases=self.bases,
        )
        add_text(tar, DOCKERFILE, text)
        for path, file in sorted(context_files(build).items()):
            add_file(tar, path, file, project=project)
        for path, content in sorted(self._mounted().items()):
            if isinstance(content, Path):
                add_content(tar, path, content)
            else:
                add_text(tar, path, content)

    def _mounted(self) -> Mapping[str, str | Path]:
        """The files of the mounted folder. apt reads certificates and settings from a single file each."""
        trusted = trust_files(self.trust.read_text("utf-8", "replace")) if self.trust else {}
        supplied = {f"trust/{path}": content for path, content in self.build_inputs.files.items()}
        apt = [
            settings[_APT]
            for settings in (trusted, supplied)
            if isinstance(settings.get(_APT), str)
        ]
        return {**trusted, **supplied, **({_APT: "".join(map(str, apt))} if apt else {})}

    def _write_own(
        self, build: DockerfileBuild, tar: tarfile.TarFile, project: PlannedFiles
    ) -> None:
        sent = own_context(build)
        sent[dockerfile_path(build)] = own_dockerfile(build)
        for path, file in sorted(sent.items()):
            add_file(tar, path, file, project=project)


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels in the form that the builder's API expects."""
    return json.dumps(labels, ensure_ascii=True, sort_keys=True)
