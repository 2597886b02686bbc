"""Resolved specs, cached in the project's private folder: with an unchanged spec a command parses no YAML and loads no keys.

Caches may be deleted at any time. A cache with any defect is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from envctl.definition.input_files import unchanged
from envctl.definition.origins import Origins, OriginsByService
from envctl.definition.resolved import Resolved
from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.private_state import (
    existing_folder,
    open_private,
    private_folder,
    state_path,
)

FORMAT = 7
_FOLDER = "cache"


def key(
    environment: str,
    *,
    sets: Mapping[str, str],
    variables: Mapping[str, str],
    contents: Mapping[str, bytes | None],
    names: tuple[str, ...],
) -> str:
    """Return a hash of everything that a resolved spec depends on, envctl itself included."""
    from envctl import __version__

    head = [
        FORMAT,
        __version__,
        _program(),
        environment,
        sorted(sets.items()),
        sorted(variables.items()),
        _together(names),
    ]
    digest = hashlib.sha256(json.dumps(head).encode())
    for file, data in sorted(contents.items()):
        digest.update(f"\0{file}\0{-1 if data is None else len(data)}\0".encode())
        digest.update(data or b"")
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _together(names: tuple[str, ...]) -> str:
    """Return a hash of the names of all environments; remembered, since a project may have thousands."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()


@cache
def _program() -> list[tuple[str, int, int]]:
    """Return the state of this package's files, for people who change envctl itself."""
    package = Path(__file__).parent
    files: list[tuple[str, int, int]] = []
    catalogue = package.parent / "catalogue"
    for folder in (package, package / "keys", package / "checks", catalogue):
        with os.scandir(folder) as entries:
            files += (
                (f"{folder.name}/{entry.name}", entry.stat().st_mtime_ns, entry.stat().st_size)
                for entry in entries
                if entry.name.endswith((".py", ".yaml"))
            )
    return sorted(files)


def path(root: Path, environment: str) -> Path:
    """Return the cache file of an environment."""
    return state_path(root, _FOLDER) / f"resolved-{environment}.json"


def read(root: Path, environment: str, expected: str) -> Resolved | None:
    """Return the cached spec, if it has the expected key."""
    try:
        if existing_folder(root, _FOLDER) is None:
            return None
        descriptor = open_private(path(root, environment), os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as stream:
            first = stream.readline(200).decode("ascii").strip()
            if first != expected:
                return None
            data = json.loads(stream.readline())
            origins = stream.read()
        if data["inputs"] and not unchanged(root, data["inputs"]):
            return None
        return Resolved(
            root=root,
            data=data["data"],
            origins=Origins(lambda: _origins(origins)),
            files=tuple(data["files"]),
            run_paths=data["run_paths"],
            inputs=data["inputs"],
        )
    except (EnvctlError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _origins(text: bytes) -> OriginsByService:
    parts: OriginsByService = {}
    try:
        for name, places in json.loads(text).items():
            parts[name] = {
                tuple(path): (
                    tuple(position),
                    tuple((tuple(place), old) for place, old in replaced),
                    note,
                )
                for path, position, replaced, note in places
            }
    except (ValueError, TypeError, AttributeError):
        return {}
    return parts


def write(root: Path, environment: str, expected: str, resolved: Resolved) -> None:
    """Cache a resolved spec in one atomic write. It is no error if that is impossible."""
    target = path(root, environment)
    origins = resolved.origins
    parts = origins.parts if isinstance(origins, Origins) else {}
    rows = {name: [[path, *place] for path, place in part.items()] for name, part in parts.items()}
    head = {
        "data": resolved.data,
        "files": resolved.files,
        "run_paths": resolved.run_paths,
        "inputs": resolved.inputs,
    }
    # Origins are a line of their own: most commands need only a few, and parse them only then.
    lines = (
        expected,
        json.dumps(head, separators=(",", ":")),
        json.dumps(rows, separators=(",", ":")),
    )
    with contextlib.suppress(EnvctlError, OSError, ValueError):
        private_folder(root, _FOLDER)
        replace_file(target, "\n".join(lines).encode(), mode=0o600, durable=False)
