"""Where the file of a dev container may be, and which folder is the project's then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError

FOLDER_NAME: Final = ".devcontainer"
FILE_NAME: Final = "devcontainer.json"
NAMES: Final = (f"{FOLDER_NAME}/{FILE_NAME}", ".devcontainer.json")
_MOST_FOLDERS: Final = 1000


def find_file(root: Path) -> str | None:
    """The file of the project's dev container. EnvctlError if there are several."""
    names = [name for name in NAMES if os.path.lexists(root / name)] + _in_folders(root)
    if len(names) > 1:
        raise EnvctlError(
            f"there are {len(names)} dev containers in {root}: {', '.join(names[:20])}",
            hint=f"name the one to import: envctl import {names[0]}",
        )
    return names[0] if names else None


def _in_folders(root: Path) -> list[str]:
    """The files of the dev containers that have a folder of their own."""
    folder = root / FOLDER_NAME
    if folder.is_symlink():
        return []
    try:
        names = sorted(path.name for path in folder.iterdir())[:_MOST_FOLDERS]
    except OSError:
        return []
    paths = [f"{FOLDER_NAME}/{name}/{FILE_NAME}" for name in names]
    return [path for path in paths if os.path.lexists(root / path)]


def project_of(file: Path) -> tuple[Path, str]:
    """The folder of the project that a file belongs to, and the file's path in it."""
    path = Path.cwd() / file
    parents = path.parents
    for level in (0, 1):
        if len(parents) > level + 1 and parents[level].name == FOLDER_NAME:
            root = parents[level + 1]
            return root, path.relative_to(root).as_posix()
    return file.parent, file.name
