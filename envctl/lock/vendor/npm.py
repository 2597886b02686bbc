"""Finds npm steps that use the registry despite vendored files, because npm finds those by hash, not by name."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.backends.common.step_views import ContextFile, placed
from envctl.lock.inputs import contents
from envctl.plan.model import Build, CopyFiles, NpmInstall, WriteFile

_LOCK_FILES: Final = ("npm-shrinkwrap.json", "package-lock.json")
"""In the order in which npm looks for them."""


def steps_using_registry(build: Build, root: Path) -> Iterator[NpmInstall]:
    """The steps that install by name, or by a lock file without an address for each package.

    Only lock files copied from the project at `root` by an earlier step count.
    """
    for one_build in (*(stage.build for stage in build.stages), build):
        yield from _own_steps_using_registry(one_build, root)


def _own_steps_using_registry(build: Build, root: Path) -> Iterator[NpmInstall]:
    files: dict[str, ContextFile] = {}
    for step in build.steps:
        match step:
            case CopyFiles() | WriteFile():
                files.update(placed(step))
            case NpmInstall():
                paths = [posixpath.join(step.directory, name) for name in _LOCK_FILES]
                texts = contents(paths, files, root).values()
                if step.packages or not _has_addresses(next(iter(texts), "")):
                    yield step


def _has_addresses(lock: str) -> bool:
    try:
        packages = json.loads(lock)["packages"].items()
        return all(
            package.get("resolved") or package.get("inBundle")
            for path, package in packages
            if "node_modules/" in path
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
