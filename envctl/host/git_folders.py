"""Git's own files below what is mounted: `.git` names programs that git runs on this host, so no unit may write it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.host.links import followed, ignores_case

NAME: Final = ".git"


def git_below(path: Path, root: Path) -> Iterator[str]:
    """The `.git` files and folders below a path, by their paths from there.

    Looked for in the folder itself, in the project's and in those that this is in. One that is a link is not among them.
    """
    yield from (git for git in _all_below(path, root) if not (path / git).is_symlink())


def changeable_git(path: Path, root: Path) -> Path | None:
    """The `.git` that who can write a mount of this path can change all the same; None if there is none.

    That is what the path leads to or is in, a link below it, which could be made to lead elsewhere, and one on a disk
    that ignores case: what is mounted over `.git` does not cover `.GIT` there.
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
