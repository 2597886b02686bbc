"""Which files of a folder a Dockerfile's context and a `copy` step include."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Final, TypeAlias, TypeVar

from envctl.files.dockerignore import Below, DockerIgnore
from envctl.files.gitignore import GitIgnore
from envctl.files.globs import State
from envctl.files.walk import Thing
from envctl.host.safe_read import FILE
from envctl.lazy_dataclass import dataclass
from envctl.plan.text import rough_size, shown

_GIT: Final = ".git"
NEVER_COPIED: Final = (_GIT, "__pycache__", "*.pyc", ".*.sw[a-p]", ".#*", "*~")
"""What a copy excludes by default (`!.git` in its `exclude` includes it): version control, Python's caches, backup files of editors."""
_LARGEST: Final = 1024 * 1024
_SHOWN: Final = 5
_TOLD_FROM: Final = 1_000_000
"""The smallest size of a file, in bytes, that a note shows."""
_S = TypeVar("_S")
Git: TypeAlias = tuple[tuple[GitIgnore, State], ...]
"""The `.gitignore` files of a folder and its parents, outermost first, each with its state there."""


@dataclass(frozen=True, slots=True)
class Private:
    """Private state, which is never copied. It is recognised by path as well as by inode: some disks have an inode per spelling of a name."""

    ids: Collection[tuple[int, int]]
    paths: Collection[str] = ()

    def __contains__(self, thing: Thing[_S]) -> bool:
        return thing.path in self.paths or (thing.seen.st_dev, thing.seen.st_ino) in self.ids


class ContextRules:
    """The rules of a Dockerfile's context: all that `docker build` sends, except envctl's private state."""

    def __init__(self, ignore: DockerIgnore, private: Private) -> None:
        self._ignore = ignore
        self._private = private
        self.has_git = False
        self.left_out: list[str] = []

    def top(self) -> Below:
        """Return the state at the top of the context."""
        return self._ignore.top()

    def decide(self, above: Below, thing: Thing[Below]) -> tuple[bool, Below | None]:
        """See `Rules`."""
        if thing in self._private:
            return False, None
        decision = self._ignore.decide(above, thing.name, is_folder=thing.is_folder)
        is_included = not decision.ignored
        if is_included and not (
            thing.is_folder or _is_plain(thing) or stat.S_ISFIFO(thing.seen.st_mode)
        ):
            self.left_out.append(thing.path)
            return False, None
        if is_included and thing.path.lower() == _GIT:
            self.has_git = True
        return is_included, decision.below if decision.enter else None

    def entered(self, state: Below, _path: str, _folder: int, /) -> Below:
        """See `Rules`."""
        return state


@dataclass(frozen=True, slots=True)
class At:
    """The state of a copy in a folder; `ignored` is this path, or the one above it, that git ignores."""

    ignore: Below
    exclude: State
    git: Git
    ignored: str = ""


@dataclass(slots=True)
class CopyRules:
    """The rules of a `copy` step: all files except those that `exclude` or the project's ignore file matches or a mount covers.

    `covered` returns whether a mount covers a path. Files that git ignores are copied, with a note.
    """

    exclude: Sequence[str]
    ignore: DockerIgnore
    private: Private
    covered: Callable[[str], bool] | None
    _patterns: GitIgnore = field(init=False)
    _used: set[int] = field(default_factory=set)
    ignored_sizes: dict[str, int] = field(default_factory=dict)
    """By path, the bytes that are copied although git ignores them; the path of a folder ends with "/"."""
    left_out: list[str] = field(default_factory=list)
    """Paths that are neither file, folder nor link."""
    by_ignore_file: int = 0
    """How many paths the ignore file excludes."""

    def __post_init__(self) -> None:
        words = [_from_here(word) for word in self.exclude]
        self._patterns = GitIgnore([*NEVER_COPIED, *words])

    def top(self, folder: str, git: Git) -> At:
        """Return the state at the top of the copied folder; `folder` is its path in the project."""
        return At(self.ignore.top(folder), self._patterns.top, git)

    def forget(self, tracked: Collection[str], top: str) -> None:
        """Drop the notes about paths that git tracks although a pattern matches them; `top` is the copied folder."""
        prefix = "" if top in {"", "."} else f"{top}/"
        for path in [path for path in self.ignored_sizes if prefix + path in tracked]:
            del self.ignored_sizes[path]

    def unused(self) -> Sequence[str]:
        """Return the patterns of `exclude` that matched nothing."""
        used = {self._patterns.patterns[index].text for index in self._used}
        return [word for word in self.exclude if _from_here(word).rstrip() not in used]

    def decide(self, above: At, thing: Thing[At]) -> tuple[bool, At | None]:
        """See `Rules`."""
        is_folder = thing.is_folder
        if thing in self.private or (self.covered and self.covered(thing.path)):
            return False, None
        # On macOS and Windows, git treats .GIT as .git; a copy has to be the same everywhere.
        name = _GIT if thing.name.lower() == _GIT else thing.name
        matching = self._patterns.matching(above.exclude, name, is_folder=is_folder)
        if matching:
            self._used.update(matching)
            if not self._patterns.patterns[matching[-1]].negated:
                return False, None
        decision = self.ignore.decide(above.ignore, thing.name, is_folder=is_folder)
        if decision.ignored:
            self.by_ignore_file += 1
        elif not is_folder and not _is_plain(thing):
            self.left_out.append(thing.path)
            return False, None
        ignored = above.ignored
        if ignored or above.git:
            ignored = self._noted(above, thing, is_included=not decision.ignored)
        if not is_folder or not decision.enter:
            return not decision.ignored, None
        below = At(
            decision.below, self._patterns.below(above.exclude, thing.name), above.git, ignored
        )
        return not decision.ignored, below

    def _noted(self, above: At, thing: Thing[At], *, is_included: bool) -> str:
        """Return the ignored path that this path is or is in, or ""; its size is counted."""
        name = above.ignored
        if not name and is_ignored(above.git, thing.name, is_folder=thing.is_folder):
            name = thing.path + ("/" if thing.is_folder else "")
        if name and is_included:
            size = 0 if thing.is_folder else thing.seen.st_size
            self.ignored_sizes[name] = self.ignored_sizes.get(name, 0) + size
        return name

    def entered(self, state: At, path: str, folder: int, /) -> At:
        """See `Rules`: a folder's own `.gitignore` applies to its contents."""
        if state.ignored:
            return state
        name = path.rpartition("/")[2]
        git = below(state.git, name) if name else state.git
        patterns = gitignore_in(folder) if path else None
        return replace(state, git=(*git, (patterns, patterns.top)) if patterns else git)


def is_ignored(git: Git, name: str, *, is_folder: bool) -> bool:
    """Whether git ignores a name in a folder: the innermost file with a matching pattern decides."""
    for patterns, state in reversed(git):
        ignored = patterns.ignored(state, name, is_folder=is_folder)
        if ignored is not None:
            return ignored
    return False


def below(git: Git, name: str) -> Git:
    """Return the state in a subfolder of that name, without its own `.gitignore`."""
    return tuple((patterns, patterns.below(state, name)) for patterns, state in git)


def gitignore_in(folder: int, name: str = ".gitignore") -> GitIgnore | None:
    """Return the patterns of an open folder's `.gitignore`; None if it has none or they cannot be read."""
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        text = file.read(_LARGEST).decode("utf-8", "surrogateescape")
    patterns = GitIgnore(text.removeprefix("\ufeff").split("\n"))
    return patterns if patterns.patterns else None


def ignored_text(source: str, top: str, sizes: Mapping[str, int]) -> str:
    """Return the note about paths that git ignores and a copy includes."""
    prefix = "" if top in {"", "."} else f"{top}/"
    things = [
        shown(prefix + path)[1:-1] + (f" ({rough_size(size)})" if _tells(path, size) else "")
        for path, size in sorted(sizes.items())
    ]
    more = [f"{len(things) - _SHOWN} more"] if len(things) > _SHOWN else []
    count, them = ("1 thing", "it") if len(things) == 1 else (f"{len(things)} things", "them")
    return (
        f"copy {source} takes {count} that git ignores: {', '.join([*things[:_SHOWN], *more])};"
        f" to leave {them} out, name {them} in its `exclude` or in .envctlignore"
    )


def _tells(path: str, size: int) -> bool:
    return path.endswith("/") or size >= _TOLD_FROM


def _is_plain(thing: Thing[object] | Thing[At] | Thing[Below]) -> bool:
    mode = thing.seen.st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _from_here(pattern: str) -> str:
    """Return a pattern in git's syntax, which has no leading `./`."""
    negated = "!" if pattern.startswith("!") else ""
    word = pattern.removeprefix("!")
    return negated + (word[1:] if word.startswith("./") else word)
