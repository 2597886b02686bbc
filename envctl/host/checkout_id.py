"""Identifies checkouts, including those that were moved and adopted.

Resources of a checkout are named after its *home*, the folder in which it was created. A folder that was moved, or that
took over another folder's resources, stores its home in its private state. That is outside the project, so a copied
folder does not have it and is a new checkout.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.links import followed
from envctl.host.private_state import (
    existing_folder,
    open_private,
    private_folder,
    state_folder,
    state_path,
)

_HOME: Final = "home"
_STAYS: Final = frozenset({_HOME, "project", "allowed.json", "cache", "locks"})
"""The parts of private state that belong to the folder and do not move."""
_LONGEST: Final = 65_536


def identify(home: str) -> str:
    """The id of a checkout."""
    return hashlib.sha256(home.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def home_of(root: Path) -> str:
    """The home of a checkout; "" if that is its present folder."""
    return _read(root, _HOME)


def homes() -> Mapping[str, tuple[str, str]]:
    """By id, the home of each of the user's checkouts, and its present folder."""
    here: dict[str, tuple[str, str]] = {}
    moved: dict[str, tuple[str, str]] = {}
    for file in sorted(state_folder().glob("projects/*/project")):
        root, home = _text(file), _text(file.with_name(_HOME))
        if root:
            (moved if home else here)[identify(home or root)] = home or root, root
    return {**here, **moved}


def adopt(former: Path, home: str, root: Path) -> None:
    """Give a folder the home and the private state of a former one. EnvctlError if it has state of its own."""
    folder = private_folder(root)
    with suppress(FileNotFoundError):
        _move(state_path(former), folder)
    _write(folder / _HOME, home)
    # Any folder at the former path is another checkout from now on.
    _write(private_folder(former) / _HOME, f"{followed(former)}#{os.urandom(4).hex()}")


def _move(source: Path, target: Path) -> None:
    """Move the contents of a private folder, except the parts that belong to the folder itself."""
    for part in sorted(source.iterdir()):
        if part.name in _STAYS:
            continue
        existing = target / part.name
        if part.is_dir() and existing.is_dir():
            names = [path.name for path in existing.iterdir() if path.is_dir()]
            if clash := sorted({path.name for path in part.iterdir()} & {*names}):
                raise EnvctlError(
                    f"{existing / clash[0]} has state that belongs to this folder",
                    hint=f"take that environment down first: `envctl down {clash[0]} --volumes`",
                )
            for path in part.iterdir():
                path.replace(existing / path.name)
        else:
            part.replace(existing)


def _read(root: Path, name: str) -> str:
    with suppress(OSError, EnvctlError):
        folder = existing_folder(root)
        return _text(folder / name) if folder else ""
    return ""


def _text(file: Path) -> str:
    try:
        with os.fdopen(open_private(file, os.O_RDONLY), "rb") as stream:
            return os.fsdecode(stream.read(_LONGEST)).removesuffix("\n")
    except (OSError, EnvctlError):
        return ""


def _write(file: Path, text: str) -> None:
    replace_file(file, os.fsencode(f"{text}\n"), mode=0o600)
