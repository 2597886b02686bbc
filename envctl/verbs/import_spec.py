"""`import`: another tool's files become a spec. Reads files, runs nothing, and writes the spec and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.imports.compose.compose_files import NAMES, first_file
from envctl.imports.compose.import_project import import_project
from envctl.imports.imported_project import ImportChoices, ImportedProject

_UNREAD: Final = {
    ".devcontainer": "a dev container",
    "devcontainer.json": "a dev container",
    "Vagrantfile": "a Vagrantfile",
    "Procfile": "a Procfile",
    "Dockerfile": "a Dockerfile",
}
"""What other tools have, and cannot be imported yet."""


def import_compose(path: Path, choices: ImportChoices) -> tuple[Path, ImportedProject]:
    """The project's folder, and what its Compose file becomes. `path` is that file or its folder."""
    root, file = _source(path)
    return root, import_project(root, file, choices)


def _source(path: Path) -> tuple[Path, str]:
    if path.name in _UNREAD and os.path.lexists(path):
        raise _unread(path, _UNREAD[path.name])
    if not path.is_dir():
        if not os.path.lexists(path):
            raise EnvctlError(
                f"{path} does not exist", hint="name a Compose file, or a folder with one"
            )
        if path.suffix not in (".yaml", ".yml"):
            raise EnvctlError(f"{path} is not a Compose file", hint=f"name one, such as {NAMES[0]}")
        return path.parent, path.name
    if file := first_file(path):
        return path, file
    for name, what in _UNREAD.items():
        if os.path.lexists(path / name):
            raise _unread(path / name, what)
    raise EnvctlError(
        f"there is no Compose file in {path}",
        hint=f"{', '.join(NAMES)} would be read; `envctl init` writes a spec for an application",
    )


def _unread(path: Path, what: str) -> EnvctlError:
    return EnvctlError(
        f"{path} is {what}, which cannot be imported yet: `envctl import` reads Compose files",
        hint="`envctl init` writes a spec for the application in a folder",
    )


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
