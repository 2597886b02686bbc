"""Steps of npm that ask its registry whatever is kept: its cache has packages by their hashes, and not by their names."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.backends.common.staging import ContextFile, placed
from envctl.lock.inputs import contents
from envctl.plan.model import Build, CopyFiles, NpmInstall, WriteFile

_LOCKS: Final = ("npm-shrinkwrap.json", "package-lock.json")
"""As npm looks for them."""


def asking(build: Build, root: Path) -> Iterator[NpmInstall]:
    """The steps that install by name, or by a lock file that does not say where each package is from.

    A lock file counts that the project at `root` has copied in by then.
    """
    there: dict[str, ContextFile] = {}
    for step in build.steps:
        match step:
            case CopyFiles() | WriteFile():
                there.update(placed(step))
            case NpmInstall():
                paths = [posixpath.join(step.directory, name) for name in _LOCKS]
                texts = contents(paths, there, root).values()
                if step.packages or not _says_where(next(iter(texts), "")):
                    yield step


def _says_where(lock: str) -> bool:
    try:
        packages = json.loads(lock)["packages"].items()
        return all(
            one.get("resolved") or one.get("inBundle")
            for path, one in packages
            if "node_modules/" in path
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
