"""Which environments there are. YAML is read only if the root file may hold inline ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

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
    """The environments that have an overlay file, sorted."""
    try:
        names = sorted(entry.name for entry in os.scandir(root / FOLDER))
    except OSError:
        return ()
    stems = (name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
    return tuple(filter(is_name, stems))


def inline(root: Path) -> tuple[str, ...]:
    """The names under `environments:` in the root file, as far as it can be read."""
    try:
        data = (root / ROOT_FILE).read_bytes() if (root / ROOT_FILE).is_file() else b""
    except OSError:
        return ()
    if not _INLINE.search(data):
        return ()
    from envctl.spec import reader
    from envctl.spec.problems import Problems
    from envctl.spec.tree import Table

    tree = reader.parse(data[: reader.MAX_BYTES], ROOT_FILE, Problems())
    given = tree.get("environments") if tree is not None else None
    return tuple(filter(is_name, given)) if isinstance(given, Table) else ()


def environments(root: Path) -> tuple[str, ...]:
    """The names of all environments, sorted: files under environments/, and inline ones."""
    return tuple(sorted({*with_files(root), *inline(root)}))
