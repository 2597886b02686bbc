"""Finds git's own files below mounts: `.git` names programs that git runs on this host, so units must not write to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.host.links import followed, ignores_case

NAME: Final = ".git"


def git_below(path: Path, root: Path) -> Iterator[str]:
    """The `.git` files and folders below a path, relative to it.

    Looks in the folder itself, in the project's folder and in the parents of that. Links are left out.
    """
    yield from (git for git in _all_below(path, root) if not (path / git).is_symlink())


def changeable_git(path: Path, root: Path) -> Path | None:
    """A `.git` that a unit could change through a mount of this path, despite the protection; None if there is none.

    This is the mounted folder itself or a parent; a link below it, which could be redirected; or a `.git` on a disk
    that ignores case, because a mount over `.git` does not cover `.GIT` there.
    """
    real = followed(path)
    for folder in (real, *real.parents):
        if _is_git(folder) or any(followed(git) == folder for git in _of_project(root)):
            return folder
    below = (path / git for git in _all_below(path, root))
    return next((git for git in below if git.is_symlink() or ignores_case(git)), None)


def _is_git(folder: Path) -> bool:
    if folder.name.lower() != NAME:
        return False
    return folder.name == NAME or ignores_case(folder)


def _all_below(path: Path, root: Path) -> Iterator[str]:
    real = followed(path)
    candidates = dict.fromkeys((real / NAME, *_of_project(root)))
    for git in candidates:
        if git.parent.is_relative_to(real) and os.path.lexists(git):
            yield git.relative_to(real).as_posix()


def _of_project(root: Path) -> tuple[Path, ...]:
    home = followed(root)
    return tuple(
        folder / NAME for folder in (home, *home.parents) if os.path.lexists(folder / NAME)
    )
