"""`import`: another tool's files become a spec. Reads files, runs nothing, and writes the spec and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.imports.compose.compose_files import NAMES
from envctl.imports.compose.import_project import import_project
from envctl.imports.devcontainer import find_file as devcontainer
from envctl.imports.devcontainer.import_devcontainer import import_devcontainer
from envctl.imports.dockerfile import import_project as dockerfile
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.process_files import ENV_FILE, PROCFILE, import_env_file, import_procfile
from envctl.imports.vagrantfile.machine_import import import_vagrantfile
from envctl.lazy_dataclass import dataclass

Importer: TypeAlias = Callable[[Path, str, ImportChoices], ImportedProject]
"""Reads a file, by its path in a folder, with all that belongs to it."""


@dataclass(frozen=True, slots=True)
class ImportSource:
    """A kind of file. `names` are its paths in a project's folder; the first that exists is read."""

    what: str
    names: tuple[str, ...]
    read: Importer
    suffixes: tuple[str, ...] = ()
    find: Callable[[Path], str | None] | None = None
    """Finds the file in a project's folder, where names are not enough."""
    project_of: Callable[[Path], tuple[Path, str]] = lambda path: (path.parent, path.name)
    """The project's folder for a file, and the file's path in it."""

    def in_folder(self, folder: Path) -> str | None:
        """The path of such a file in a project's folder; None if there is none."""
        if self.find is not None:
            return self.find(folder)
        return next((name for name in self.names if os.path.lexists(folder / name)), None)

    def matches(self, name: str) -> bool:
        """Whether a file of this name is one."""
        return name in {Path(path).name for path in self.names} or name.endswith(self.suffixes)


SOURCES: Final = (
    ImportSource("a Compose file", NAMES, import_project, (".yaml", ".yml")),
    ImportSource(
        "a dev container",
        devcontainer.NAMES,
        import_devcontainer,
        (".json",),
        devcontainer.find_file,
        devcontainer.project_of,
    ),
    ImportSource("a Vagrantfile", ("Vagrantfile",), import_vagrantfile, (".Vagrantfile",)),
    ImportSource("a Procfile", (PROCFILE,), import_procfile),
    ImportSource("a Dockerfile", dockerfile.NAMES, dockerfile.import_project, (".Dockerfile",)),
    ImportSource("a .env", (ENV_FILE,), import_env_file),
)
"""What can be imported. If a folder has several, the first is read: it says most about the others."""


def import_source(path: Path, choices: ImportChoices) -> tuple[Path, ImportedProject]:
    """The project's folder, and what the file becomes. `path` is the file, or a folder that has one."""
    root, file, source = _source(path)
    return root, source.read(root, file, choices)


def _source(path: Path) -> tuple[Path, str, ImportSource]:
    if not os.path.lexists(path):
        raise EnvctlError(f"{path} does not exist", hint=f"name {_names()}, or a folder with one")
    if os.path.lexists(path / devcontainer.FILE_NAME):
        path /= devcontainer.FILE_NAME
    if not path.is_dir() or path.name == devcontainer.FILE_NAME:
        for source in SOURCES:
            if source.matches(path.name):
                return *source.project_of(path), source
        raise EnvctlError(
            f"{path} is no file that can be imported", hint=f"name {_names()}, or a folder with one"
        )
    for source in SOURCES:
        name = source.in_folder(path)
        if name is not None:
            return path, name, source
    raise EnvctlError(
        f"there is nothing to import in {path}",
        hint=f"{_names()} would be read; `envctl init` writes a spec for an application",
    )


def _names() -> str:
    return ", ".join(source.what for source in SOURCES)


def write_imported(root: Path, texts: Mapping[str, str], *, force: bool) -> Mapping[str, bool]:
    """Write the files of a spec; whether each was changed. EnvctlError, with nothing written, if one differs already."""
    current = {path: _current(root, path) for path in texts}
    differing = [path for path, text in texts.items() if current[path] not in (None, text)]
    if differing and not force:
        raise EnvctlError(
            f"{', '.join(differing)} already {'exist' if len(differing) > 1 else 'exists'}: nothing was written",
            hint="--force overwrites; --dry-run shows what would be written",
        )
    for path, text in texts.items():
        if current[path] != text:
            target = root / path
            target.parent.mkdir(exist_ok=True)
            replace_file(target, text.encode("utf-8"))
    return {path: current[path] != text for path, text in texts.items()}


def _current(root: Path, path: str) -> str | None:
    """The content of a file; None if it does not exist. Never that of another file, through a link."""
    target = root / path
    for part in (target.parent, target):
        if part != root and part.is_symlink():
            raise EnvctlError(
                f"{part} is a link: nothing was written",
                hint="remove it, or replace it with its target",
            )
    if not os.path.lexists(target):
        return None
    if not target.is_file():
        raise EnvctlError(f"{target} is not a regular file: nothing was written", hint="remove it")
    return target.read_text("utf-8", errors="replace")
