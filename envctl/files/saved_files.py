"""Waits until files of the project are saved, removed or renamed. A batch is a group of changes that happened together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from envctl.errors import EnvctlError
from envctl.files.dockerignore import DockerIgnore
from envctl.files.gitignore import GitIgnore
from envctl.files.ignore_files import git_above, project_ignore
from envctl.files.rules import NEVER_COPIED, is_ignored
from envctl.host.links import followed
from envctl.host.safe_read import open_root
from envctl.lazy_dataclass import dataclass

_TICK: Final = 100
"""Milliseconds between two checks of files that are watched one by one."""
_QUIET: Final = 40
"""Milliseconds without a change that end a batch."""
_BATCH: Final = 3000
"""The maximum duration of a batch in milliseconds."""
_PATIENCE: Final = 300
"""The maximum number of ticks that a checkout by git may take."""
_LIMIT: Final = "/proc/sys/fs/inotify/max_user_watches"
_Seen: TypeAlias = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Watched:
    """The watched paths, relative to the project: folders with everything in them, and single files."""

    folders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    @classmethod
    def of(cls, root: Path, paths: Collection[str]) -> Watched:
        """Return these files and folders; what does not exist counts as a file."""
        folders = frozenset(path for path in paths if (root / path).is_dir())
        return cls(folders, frozenset(paths) - folders)


class SavedFiles:
    """Reports the saved files of a project. `watched` may be changed while `batches` is running.

    The first batch is empty and arrives when everything is watched. The same happens after `watched` has changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = followed(root)
        self._never = GitIgnore(NEVER_COPIED)
        self.watched = Watched()

    def batches(self) -> Iterator[frozenset[str]]:
        """Yield the paths that have changed, relative to the project."""
        while True:
            yield from self._batches(self.watched)

    def _batches(self, watched: Watched) -> Iterator[frozenset[str]]:
        """Yield batches until `watched` changes."""
        folders = self._folders(watched)
        before = {path: self._seen(path) for path in watched.files}
        pending: set[str] | None = set()
        waited = 0
        for paths in self._changes(sorted(folders)):
            now = {path: self._seen(path) for path in watched.files}
            changed = {*paths, *(path for path, seen in now.items() if seen != before[path])}
            before = now
            if changed:
                pending = (pending or set()) | changed
            if pending is not None and (waited >= _PATIENCE or not self._git_is_busy()):
                yield frozenset(pending)
                pending, waited = None, 0
            elif pending is not None:
                waited += 1
            # A folder that was removed and made anew may have the same identity, but the system no longer watches it.
            is_gone = not folders.keys().isdisjoint(paths)
            if is_gone or self.watched != watched or self._folders(watched) != folders:
                return

    def _folders(self, watched: Watched) -> dict[str, _Seen]:
        """Return the existing folders, each with its identity, which shows whether another one has taken its place."""
        seen = {path: self._seen(path) for path in watched.folders}
        return {path: identity[:2] for path, identity in seen.items() if identity is not None}

    def _seen(self, path: str) -> _Seen:
        try:
            status = (self._root / path).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def _git_is_busy(self) -> bool:
        """Whether git changes files: a switch of branches is one batch."""
        return (self._root / ".git" / "index.lock").exists()

    def _changes(self, folders: Sequence[str]) -> Iterator[Collection[str]]:
        """Yield the changed paths in folders; an empty collection at regular intervals without a change."""
        from watchfiles import watch

        try:
            for changes in watch(
                *(self._root / folder for folder in folders),
                watch_filter=lambda _, path: self._counts(path),
                debounce=_BATCH,
                step=_QUIET,
                rust_timeout=_TICK,
                yield_on_timeout=True,
            ):
                yield {self._relative(path) for _, path in changes}
        except FileNotFoundError:
            return  # A folder was removed meanwhile: watch the others.
        except OSError as error:
            raise _cannot_watch(error) from error

    def _relative(self, path: str) -> str:
        return Path(path).relative_to(self._root).as_posix()

    def _counts(self, path: str) -> bool:
        """Whether a copy may take the file. No copy takes temporary files of editors."""
        try:
            parts = Path(path).relative_to(self._root).parts
        except ValueError:
            return False
        return not any(_matches(self._never, name) for name in parts)


def _matches(patterns: GitIgnore, name: str) -> bool:
    return bool(patterns.ignored(patterns.top, name, is_folder=False)) or bool(
        patterns.ignored(patterns.top, name, is_folder=True)
    )


def without_ignored(root: Path, paths: Collection[str]) -> frozenset[str]:
    """Return these paths of a project, without those that git or the project's ignore file ignores."""
    if not paths:
        return frozenset()
    _, ignore = project_ignore(root, None)
    with open_root(root) as home:
        by_git = {path for path in paths if not _ignored_by_git(home, path)}
    return frozenset(path for path in by_git if not _left_out(ignore, path))


def _left_out(ignore: DockerIgnore, path: str) -> bool:
    state, (*folders, name) = ignore.top(), path.split("/")
    for folder in folders:
        decision = ignore.decide(state, folder, is_folder=True)
        if decision.ignored and not decision.enter:
            return True
        state = decision.below
    return ignore.decide(state, name, is_folder=False).ignored


def _ignored_by_git(home: int, path: str) -> bool:
    parts = path.split("/")
    return any(
        is_ignored(
            git_above(home, "/".join(parts[:depth]) or "."),
            parts[depth],
            is_folder=depth < len(parts) - 1,
        )
        for depth in range(len(parts))
    )


def _cannot_watch(error: OSError) -> EnvctlError:
    """Return the error for folders that cannot be watched, with the system's limit."""
    text = str(error)
    if "limit" not in text.lower() and "space" not in text.lower():
        return EnvctlError(f"the project's files cannot be watched: {text}")
    try:
        limit = int(Path(_LIMIT).read_text("ascii"))
    except (OSError, ValueError):
        limit = 0
    more = max(524_288, 4 * limit)
    return EnvctlError(
        f"this system watches no more folders: its limit is {limit:,} (fs.inotify.max_user_watches)",
        hint=f"`sudo sysctl fs.inotify.max_user_watches={more}` raises it until the next start;"
        " a file in /etc/sysctl.d keeps it; or let `copy` take fewer folders",
    )
