"""What builds take of a project, for tests that plan by hand."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from envctl import files
from envctl.host.source_tree import SourceEntry, SourceTree


def entry(path: str, content: str = "") -> SourceEntry:
    """A file with that content."""
    data = content.encode()
    return SourceEntry(path, size=len(data), digest=hashlib.sha256(data).hexdigest())


def tree(origin: str, *paths: str) -> SourceTree:
    """A folder with empty files at these paths in it, or, without any, a single file."""
    return SourceTree(origin, tuple(entry(path) for path in sorted(paths) or [""]))


def tree_of(root: Path, *paths: str) -> SourceTree:
    """A project with nothing in it but these files, as they are there."""
    found = (
        replace(files.hash_file(root, path).tree.entries[0], path=path) for path in sorted(paths)
    )
    return SourceTree(".", tuple(found))
