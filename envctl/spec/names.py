"""Which environments there are. YAML is read only if the root file may hold inline ones."""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from envctl.inside import InsideError, read_inside, real_path

ROOT_FILE = "envctl.yaml"
FOLDER = "environments"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z")
ALLOWED = "at most 40 small letters, digits and -, a letter first and no - last"
_INLINE = re.compile(rb"environments[\'\"]?\s*:")


def is_name(text: str) -> bool:
    """Whether an environment or a service can have this name."""
    return bool(_NAME.match(text))


def overlay_file(environment: str) -> str:
    """Where an environment's overlay stands."""
    return f"{FOLDER}/{environment}.yaml"


def with_files(root: Path) -> tuple[str, ...]:
    """The environments that have an overlay file, sorted. InsideError if their folder is none of the project."""
    try:
        folder = real_path(root, FOLDER)
        changed = folder.stat().st_mtime_ns
    except OSError:
        return ()
    # A folder's time is no finer than some milliseconds: one that is young may have changed again since.
    if time.time_ns() - changed > _SETTLED:
        return _in_folder(str(folder), changed)
    return _in_folder.__wrapped__(str(folder), changed)


_SETTLED: Final = 2_000_000_000
"""Nanoseconds."""


@lru_cache(maxsize=4)
def _in_folder(folder: str, _changed: int) -> tuple[str, ...]:
    """Remembered while the folder stays the same, since each of thousands of environments asks for them."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return ()
    stems = (name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
    return tuple(filter(is_name, stems))


def inline(root: Path) -> tuple[str, ...]:
    """The names under `environments:` in the root file, as far as it can be read."""
    try:
        data = read_inside(root, ROOT_FILE)
    except (OSError, InsideError):
        return ()
    if not _INLINE.search(data):
        return ()
    from envctl.spec import reader
    from envctl.spec.tree import Table

    tree = reader.readable(data, ROOT_FILE)
    given = tree.get("environments") if tree is not None else None
    return tuple(filter(is_name, given)) if isinstance(given, Table) else ()


def environments(root: Path) -> tuple[str, ...]:
    """The names of all environments, sorted: files under environments/, and inline ones."""
    return tuple(sorted({*with_files(root), *inline(root)}))
