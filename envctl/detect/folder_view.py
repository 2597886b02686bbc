"""What can be learned about a folder without running anything: names and texts of its files, within limits."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside

MAX_BYTES: Final = 512 * 1024
"""The maximum size in bytes of a file that is read."""
MAX_FILES: Final = 3000
_MAX_SOURCES: Final = 200
_MAX_DEPTH: Final = 3
_SKIPPED: Final = frozenset(
    [
        "node_modules",
        "vendor",
        "venv",
        "env",
        "dist",
        "build",
        "target",
        "__pycache__",
        "site-packages",
        "coverage",
    ]
)
"""Folders with files from elsewhere, such as dependencies."""


class FolderView:
    """A folder as detectors see it. Files that cannot be read count as empty."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The files of the folder and of some levels below, upper levels first."""
        files: list[str] = []
        folders = [("", 0)]
        for folder, depth in folders:
            for name, is_folder in self._entries(folder):
                if not is_folder:
                    files.append(folder + name)
                elif depth < _MAX_DEPTH and name not in _SKIPPED and not name.startswith("."):
                    folders.append((f"{folder}{name}/", depth + 1))
            if len(files) > MAX_FILES or len(folders) > MAX_FILES:
                break
        return tuple(files[:MAX_FILES])

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        try:
            with os.scandir(self._root / folder) as entries:
                return sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry, _ in zip(entries, range(MAX_FILES), strict=False)
                    if entry.name.isprintable()
                )
        except OSError:
            return []

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.paths)

    def has(self, path: str) -> bool:
        """Whether the file exists."""
        return path in self._known

    def first(self, *paths: str) -> str | None:
        """Return the first of these files that exists."""
        return next((path for path in paths if self.has(path)), None)

    def text(self, path: str) -> str:
        """Return the text of a file; "" if there is none, or if it is too large, binary or unreadable."""
        if path not in self._texts:
            self._texts[path] = self._read(path) if self.has(path) else ""
        return self._texts[path]

    def _read(self, path: str) -> str:
        try:
            data = read_inside(self._root, path, largest=MAX_BYTES)
        except (OSError, ValueError, EnvctlError):
            return ""
        return "" if b"\0" in data else data.decode("utf-8-sig", "replace").replace("\r\n", "\n")

    def json(self, path: str) -> Mapping[str, Any]:
        """Return the object in a JSON file; an empty one if it has none."""
        try:
            data = json.loads(self.text(path) or "{}")
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}

    def toml(self, path: str) -> Mapping[str, Any]:
        """Return the table in a TOML file; an empty one if it is not valid."""
        try:
            return tomllib.loads(self.text(path))
        except (ValueError, RecursionError):
            return {}

    def sources(self, *suffixes: str) -> Iterator[tuple[str, str]]:
        """Yield the paths and texts of source files."""
        matching = (path for path in self.paths if path.endswith(suffixes))
        for path, _ in zip(matching, range(_MAX_SOURCES), strict=False):
            yield path, self.text(path)


def table(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the mapping at a path of keys; an empty one if the value is something else."""
    for key in keys:
        value = data.get(key)
        data = value if isinstance(value, dict) else {}
    return data


def texts(values: object) -> tuple[str, ...]:
    """Return the texts in a list, without other values; empty for anything but a list."""
    items = values if isinstance(values, list) else ()
    return tuple(item for item in items if isinstance(item, str))
