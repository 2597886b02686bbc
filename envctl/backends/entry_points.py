"""envctl's own entry points, read from its distribution: `importlib.metadata` takes 20 ms or more to import, this 1 ms."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

_FILES: Final = "envctl-*.dist-info/entry_points.txt"
_FOLDERS: Final = ("site-packages", "dist-packages")
"""Where packages are installed. Other folders are not searched: they may be large, or untrusted."""


@cache
def envctl_entry_points(group: str) -> Mapping[str, str]:
    """Envctl's own entry points of a group, by name; {} if its distribution is not where an installer puts it."""
    for file in _candidates():
        try:
            return dict(_entries(file.read_text("utf-8"), group))
        except (OSError, UnicodeDecodeError):
            continue
    return {}


def _entries(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Source: https://packaging.python.org/en/latest/specifications/entry-points/#file-format."""
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and "=" in line:
            name, _, target = line.partition("=")
            yield name.strip(), target.strip()


def _candidates() -> Iterator[Path]:
    """The files of envctl's distribution: beside the package or, for an editable install, elsewhere on the path."""
    package_parent = Path(__file__).parents[2]
    for folder in dict.fromkeys((package_parent, *map(Path, sys.path))):
        if folder.name in _FOLDERS:
            yield from sorted(folder.glob(_FILES))
