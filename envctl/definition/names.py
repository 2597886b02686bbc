"""The names of the environments. YAML is read only if the root file may declare inline environments."""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envctl.errors import EnvctlError, Place
from envctl.host.safe_read import InsideError, read_inside, real_path

if TYPE_CHECKING:
    from envctl.definition.tree import Node

ROOT_FILE = "envctl.yaml"
FOLDER = "environments"
BUILT_IN = "<envctl>/catalogue"
"""The folder of the entries that envctl brings, in places."""
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z")
ALLOWED = "at most 40 lower-case letters, digits and -, a letter first and no - last"
_INLINE = re.compile(rb"environments[\'\"]?\s*:")
_MAY_HAVE_DEFAULT = re.compile(rb"default[\'\"]?\s*:")
_DEFAULT_LINE = re.compile(
    rb"^(?P<before>default[ \t]*:[ \t]+)(?P<name>[a-z][a-z0-9-]*)[ \t]*(?:#.*)?\r?$", re.MULTILINE
)
"""The usual form of the key, read without YAML: importing the parser takes longer than most commands run."""


def is_name(text: str) -> bool:
    """Whether an environment or a service can have this name."""
    return bool(_NAME.match(text))


def overlay_file(environment: str) -> str:
    """Return the path of an environment's overlay."""
    return f"{FOLDER}/{environment}.yaml"


def with_files(root: Path) -> tuple[str, ...]:
    """Return the environments that have an overlay file, sorted. InsideError if their folder leads outside the project."""
    try:
        folder = real_path(root, FOLDER)
        changed = folder.stat().st_mtime_ns
    except OSError:
        return ()
    # A folder's time has a resolution of some milliseconds, so a recent one may hide a later change.
    if time.time_ns() - changed > _STABLE_AFTER:
        return _in_folder(str(folder), changed)
    return _in_folder.__wrapped__(str(folder), changed)


_STABLE_AFTER: Final = 2_000_000_000
"""In nanoseconds: until then another change of the folder may have the same time."""


@lru_cache(maxsize=4)
def _in_folder(folder: str, _changed: int) -> tuple[str, ...]:
    """Return the overlays in a folder. Cached while the folder stays the same, since each of thousands of environments needs it."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return ()
    stems = (name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
    return tuple(filter(is_name, stems))


def misnamed(root: Path, environment: str = "") -> str:
    """Return a file that would be an environment's overlay if it had the right name; "" if there is none.

    With `environment`, only that environment's overlay is considered.
    """
    try:
        names = sorted(os.listdir(real_path(root, FOLDER)))  # noqa: PTH208
    except (OSError, InsideError):
        return ""
    expected = f"{environment}.yaml" if environment else ""
    for name in names:
        meant = meant_by(name)
        if meant != name and is_name(meant.removesuffix(".yaml")) and expected in ("", meant):
            return name
    return ""


def meant_by(name: str) -> str:
    """Return the right name for an overlay file."""
    stem, dot, suffix = name.lower().rpartition(".")
    return f"{stem}.yaml" if dot and suffix in ("yaml", "yml") else name


def how_to_have(root: Path, environment: str = "") -> str:
    """Return a hint how to add an environment, or this one."""
    name = misnamed(root, environment)
    if name:
        return f"{FOLDER}/{name} is no environment's file: rename it to {FOLDER}/{meant_by(name)}"
    return f"write {overlay_file(environment)}; it may be empty" if environment else ""


def no_environments(root: Path) -> EnvctlError:
    """Return the error for a project without environments."""
    return EnvctlError(
        "the project has no environments",
        hint=how_to_have(root) or "write environments/dev.yaml, or `environments:` in envctl.yaml",
    )


def inline(root: Path) -> tuple[str, ...]:
    """Return the names under `environments:` in the root file, as far as it can be read."""
    data = _root_file(root)
    if not _INLINE.search(data):
        return ()
    from envctl.definition.tree import MapNode

    node = _top_value(data, "environments")
    return tuple(filter(is_name, node)) if isinstance(node, MapNode) else ()


def default_environment(root: Path) -> tuple[str, Place] | None:
    """Return the environment that the root file names as `default`, and where; None if it names none that can be read."""
    data = _root_file(root)
    if match := _DEFAULT_LINE.search(data):
        line = data.count(b"\n", 0, match.start()) + 1
        return match["name"].decode(), Place(ROOT_FILE, line, len(match["before"]) + 1)
    if not _MAY_HAVE_DEFAULT.search(data):
        return None
    from envctl.definition.tree import ScalarNode, as_place

    name = _top_value(data, "default")
    return (str(name), as_place(name.position)) if isinstance(name, ScalarNode) else None


def _root_file(root: Path) -> bytes:
    """Return the content of the root file; nothing if it cannot be read."""
    try:
        return read_inside(root, ROOT_FILE)
    except (OSError, InsideError):
        return b""


def _top_value(data: bytes, key: str) -> Node | None:
    """Return the value of a key at the top of the root file, as far as that is valid."""
    from envctl.definition import yaml_reader

    tree = yaml_reader.parse_leniently(data, ROOT_FILE)
    return tree.get(key) if tree is not None else None


def environments(root: Path) -> tuple[str, ...]:
    """Return the names of all environments, sorted: files under environments/, and inline ones."""
    return tuple(sorted({*with_files(root), *inline(root)}))
