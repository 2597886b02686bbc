"""The project's own files: what builds take of them, by content; nothing outside the project."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from envctl.errors import Place, Problem, SpecError
from envctl.files import disk_notes, rules, walk
from envctl.files.dockerignore import DockerIgnore, PatternError
from envctl.files.git_index import knows_no_modes, tracked
from envctl.files.hashes import ChangedError, Hashes
from envctl.host.links import as_listed, composed, followed
from envctl.host.private_state import hidden_below, is_private, private_ids
from envctl.host.safe_read import FOLDER, InsideError, open_below, open_root, read_inside, real_path
from envctl.host.source_tree import START, EntryKind, SourceEntry, SourceTree, content_time
from envctl.plan.text import rough_size, shown

ENVCTLIGNORE: Final = ".envctlignore"
DOCKERIGNORE: Final = ".dockerignore"
MOST_BYTES: Final = 16_000_000_000
"""What one copy or context may come to."""
MOST_ENTRIES: Final = 1_000_000
_LARGEST_IGNORE_FILE: Final = 1024 * 1024
_NOWHERE: Final = Place("envctl.yaml", 1, 1)
_AGAIN: Final = "run the same command again when nothing writes to it, or leave it out"
_LEAVE_OUT: Final = "leave it out, by the `exclude` of a copy or in an ignore file"
_S = TypeVar("_S")


class Taken(NamedTuple):
    """What a build takes: a hash of it, and what it is."""

    content: str
    tree: SourceTree


def problem(message: str, where: Place | None, *, hint: str = "") -> SpecError:
    """A SpecError of one problem, with its line of the spec where that can be read."""
    return SpecError((Problem(where or _NOWHERE, message, hint=hint),))


def located(root: Path, relative: str, where: Place | None) -> str:
    """Where a file or folder of the project really is, relative to it, links followed.

    SpecError if it is missing, outside, private or another kind of thing.
    """
    try:
        real = real_path(root, relative)
    except FileNotFoundError as error:
        raise problem(f"{relative!r} does not exist{_dangling(root / relative)}", where) from error
    except InsideError as error:
        raise problem(
            error.brief.replace(relative, repr(relative), 1),
            where,
            hint="a build takes files of the project only; copy it in, or mount it",
        ) from error
    if is_private(real, root):
        raise problem(f"{relative!r} is in envctl's own folder, where secrets are kept", where)
    insist_spelling(root, relative, where)
    if not (real.is_file() or real.is_dir()):
        raise problem(
            f"{relative!r} is neither a file nor a folder",
            where,
            hint="pipes, sockets and devices cannot be copied",
        )
    return real.relative_to(followed(root)).as_posix()


def insist_spelling(root: Path, relative: str, where: Place | None) -> None:
    """SpecError if a path of the project is there only since its disk takes capital for small letters."""
    written = os.path.normpath(relative)
    if Path(written).is_absolute() or written.split("/")[0] == "..":
        return
    home = followed(root)
    found = as_listed(home / written).relative_to(home).as_posix()
    if composed(found) != composed(written):
        raise problem(
            f"{relative!r} is not there under this name, but as {found!r}",
            where,
            hint=f"write {found}: this disk takes capital for small letters, others do not",
        )


def _private(root: Path, origin: str) -> rules.Private:
    return rules.Private(private_ids(root), frozenset(hidden_below(root / origin, root)))


def _dangling(path: Path) -> str:
    return f": it is a link to {path.readlink()}" if path.is_symlink() else ""


def read_text(root: Path, relative: str, *, where: Place | None) -> str:
    """The text of a project file, UTF-8."""
    located(root, relative, where)
    try:
        return read_inside(root, relative).decode("utf-8")
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise problem(f"{relative!r} cannot be read as UTF-8 text: {error}", where) from error


def _nothing_covered(_path: str) -> bool:
    return False


def copied(
    root: Path,
    relative: str,
    *,
    exclude: Sequence[str] = (),
    where: Place | None = None,
    covered: Callable[[str], bool] = _nothing_covered,
) -> Taken:
    """A file, or a folder with all that is in it but what `exclude` or the project's ignore file leaves out.

    `exclude` has the meaning of `.gitignore` in the folder, the ignore file that of `.dockerignore` in the project.
    Neither leaves out `relative` itself. `covered` says of a path in the folder that it is not wanted.
    """
    origin = located(root, relative, where)
    modes = tracked(root) if knows_no_modes(root) else {}
    taker = _Taker(root, relative, origin, f"copy\0{origin}", where, modes=modes)
    if covered(""):
        return Taken(_digest((), _copied_line), SourceTree(origin))
    if (root / origin).is_file():
        return taker.file()
    name, ignore = _project_ignore(root, where)
    ours = rules.CopyRules(exclude, ignore, _private(root, origin), covered)
    with taker.open(origin) as (home, top):
        entries = taker.entries(top, ours, ours.top(origin, _git_above(home, origin)))
    if not entries and ours.by_ignore_file:
        raise problem(
            f"copy {relative} would take nothing: {name} leaves all of it out",
            where,
            hint=f"change {name}"
            + (f", or write {ENVCTLIGNORE}, which is used instead" if name == DOCKERIGNORE else ""),
        )
    if ours.ignored_sizes:
        ours.forget(tracked(root), origin)
    notes = (
        *_spelling_notes(root, name),
        *_copy_notes(relative, origin, ours, entries),
        *taker.notes(entries),
    )
    tree = SourceTree(origin, entries, notes)
    return Taken(_digest(entries, _copied_line), tree)


def context(root: Path, relative: str, *, dockerfile: str, where: Place | None = None) -> Taken:
    """A folder as the context of a Dockerfile: what `docker build` sends of it."""
    origin = located(root, relative, where)
    if not (root / origin).is_dir():
        raise problem(f"{relative!r} is not a folder", where, hint="a context is a folder")
    taker = _Taker(root, relative, origin, f"context\0{origin}", where)
    name, ignore = _context_ignore(root, relative, dockerfile, where)
    ours = rules.ContextRules(ignore, _private(root, origin))
    with taker.open(origin) as (_, top):
        entries = taker.entries(top, ours, ours.top(), times=True)
    notes = [*_spelling_notes(root, name)]
    if ours.has_git:
        notes.append(
            f"the context of {dockerfile} has .git in it, as with `docker build`, so every commit builds it anew;"
            f" name .git in {DOCKERIGNORE} if the build does not need it"
        )
    notes += _left_out(f"the context of {dockerfile}", ours.left_out)
    notes += taker.notes(entries)
    return Taken(_digest(entries, _sent_line), SourceTree(origin, entries, tuple(notes)))


def single(root: Path, relative: str, *, where: Place | None = None) -> Taken:
    """A single file, with the time that it has."""
    origin = located(root, relative, where)
    if not (root / origin).is_file():
        raise problem(f"{relative!r} is not a file", where)
    return _Taker(root, relative, origin, f"file\0{origin}", where).file(times=True)


# --- ignore files ---------------------------------------------------------------------------


def _project_ignore(root: Path, where: Place | None) -> tuple[str, DockerIgnore]:
    """What copies leave out of the project, and the name of the file that says so."""
    for name in (ENVCTLIGNORE, DOCKERIGNORE):
        found = _ignore(root, name, where)
        if found is not None:
            return name, found
    return "", DockerIgnore("")


def _context_ignore(
    root: Path, relative: str, dockerfile: str, where: Place | None
) -> tuple[str, DockerIgnore]:
    """What a context leaves out, and by which file: the ignore file of its Dockerfile, or else the context's."""
    for path in (f"{dockerfile}{DOCKERIGNORE}", os.path.normpath(f"{relative}/{DOCKERIGNORE}")):
        found = _ignore(root, path, where)
        if found is not None:
            return path, found
    return "", DockerIgnore("")


def _spelling_notes(root: Path, path: str) -> Iterator[str]:
    """What is said of an ignore file that is found only since its disk takes capital for small letters."""
    name, found = os.path.basename(path), as_listed(followed(root) / path).name  # noqa: PTH119
    if path and found != name:
        yield (
            f"{found} is followed as {name}, since this disk takes capital for small letters; on others it is not:"
            f" rename it to {name}"
        )


def _ignore(root: Path, path: str, where: Place | None) -> DockerIgnore | None:
    """The patterns of an ignore file; None if there is none. SpecError at the line that is no pattern."""
    try:
        data = read_inside(root, path, largest=_LARGEST_IGNORE_FILE)
    except FileNotFoundError:
        return None
    except InsideError as error:
        raise problem(error.brief, where, hint=error.hint) from error
    text = data.decode("utf-8", "surrogateescape")
    try:
        return DockerIgnore(text)
    except PatternError as error:
        lines = text.split("\n")
        source = lines[error.line - 1] if error.line <= len(lines) else ""
        raise SpecError(
            (
                Problem(
                    Place(path, error.line, error.column),
                    error.reason,
                    expected="a pattern, as docs.docker.com says of .dockerignore files",
                    source=source,
                ),
            )
        ) from error


def _git_above(home: int, origin: str) -> rules.Git:
    """What git ignores in a folder of the project, by the files there and above: without its own, for what is in it."""
    git: rules.Git = ()
    parts = [] if origin == "." else origin.split("/")
    for depth in range(len(parts) + 1):
        if depth:
            git = rules.below(git, parts[depth - 1])
        try:
            folder = open_below(home, "/".join(parts[:depth]), FOLDER)
        except OSError:
            return git
        try:
            found = [rules.gitignore_in(folder)]
            if not depth:
                found.insert(0, rules.gitignore_in(folder, ".git/info/exclude"))
        finally:
            os.close(folder)
        git += tuple((one, one.top) for one in found if one)
    return git


# --- taking ---------------------------------------------------------------------------------


class _Taker:
    """Makes entries of what is at `origin`, which the spec calls `relative`.

    `modes` are permission bits that count instead of the disk's, by path of the project.
    """

    def __init__(
        self,
        root: Path,
        relative: str,
        origin: str,
        name: str,
        where: Place | None,
        *,
        modes: Mapping[str, int] | None = None,
    ) -> None:
        self.root = root
        self.origin = origin
        self._relative = relative
        self._where = where
        self._hashes = Hashes(root, name)
        self._bytes = 0
        self.modes = modes or {}
        self.ends: dict[str, int] = {}
        """Where each file is whose first line ends as on Windows, and whether it is a script."""

    @contextmanager
    def open(self, path: str) -> Iterator[tuple[int, int]]:
        """The project's folder and one in it, as long as they are needed."""
        with open_root(self.root) as home:
            try:
                top = open_below(home, path, FOLDER)
            except OSError as error:
                raise self.unreadable("", error) from error
            try:
                yield home, top
            finally:
                os.close(top)

    def file(self, *, times: bool = False) -> Taken:
        """A single file."""
        folder, _, name = self.origin.rpartition("/")
        with self.open(folder) as (_, above):
            try:
                seen = os.stat(name, dir_fd=above, follow_symlinks=False)
            except OSError as error:
                raise self.unreadable("", error) from error
            entry = self._entry("", name, above, seen, times=times)
        self._hashes.keep()
        notes = tuple(self.notes((entry,)))
        return Taken(_digest((entry,), _copied_line), SourceTree(self.origin, (entry,), notes))

    def notes(self, entries: Sequence[SourceEntry]) -> Iterator[str]:
        """What is said of the disk, and of line ends."""
        here = SourceTree(self.origin)
        modes = [
            one.mode
            for one in entries
            if one.kind is EntryKind.FILE and here.place(one) not in self.modes
        ]
        yield from disk_notes.of_modes(self.root, modes)
        yield from disk_notes.of_line_ends(self.ends)

    def entries(
        self, top: int, ours: walk.Rules[_S], state: _S, *, times: bool = False
    ) -> tuple[SourceEntry, ...]:
        """All that is taken of an open folder, sorted by path; with `times`, those that files have."""
        found: list[SourceEntry] = []
        try:
            for thing in walk.walk(top, ours, state):
                found.append(
                    self._entry(thing.path, thing.name, thing.folder, thing.seen, times=times)
                )
                if len(found) > MOST_ENTRIES:
                    raise self._too_much(f"more than {MOST_ENTRIES:,} files")
        except walk.TooDeepError as error:
            shown_path = self._shown(f"{str(error)[:60]}…")
            raise problem(
                f"{shown_path} has more than {walk.DEEPEST} folders in each other",
                self._where,
                hint=_LEAVE_OUT,
            ) from error
        except walk.UnreadableError as error:
            raise self.unreadable(error.path, error.error) from error
        self._hashes.keep()
        return tuple(sorted(found, key=lambda entry: entry.path))

    def _entry(
        self, path: str, name: str, folder: int, seen: os.stat_result, *, times: bool
    ) -> SourceEntry:
        mode, time = stat.S_IMODE(seen.st_mode), int(seen.st_mtime) if times else START
        if stat.S_ISDIR(seen.st_mode):
            return SourceEntry(path, EntryKind.FOLDER, mode, time=time)
        if stat.S_ISFIFO(seen.st_mode):
            return SourceEntry(path, EntryKind.PIPE, mode, time=time)
        try:
            if stat.S_ISLNK(seen.st_mode):
                to = os.readlink(name, dir_fd=folder)
                made = content_time(hashlib.sha256(os.fsencode(to)).hexdigest())
                return SourceEntry(
                    path, EntryKind.LINK, 0o777, digest=to, time=time if times else made
                )
            self._count(path, seen)
            known = self._hashes.of(path, name, folder, seen)
        except OSError as error:
            raise self.unreadable(path, error) from error
        except ChangedError as error:
            message = f"{self._shown(path)} is changed while it is read"
            raise problem(message, self._where, hint=_AGAIN) from error
        place = SourceTree(self.origin).place(SourceEntry(path))
        if known.ends:
            self.ends[place] = known.ends
        mode = self.modes.get(place, mode)
        return SourceEntry(
            path, EntryKind.FILE, mode, known.size, known.digest, time if times else known.time
        )

    def _count(self, path: str, seen: os.stat_result) -> None:
        self._bytes += seen.st_size
        if self._bytes > MOST_BYTES:
            used = seen.st_blocks * 512
            sparse = f", of which {rough_size(used)} are used" if used * 2 < seen.st_size else ""
            most = f"more than {rough_size(MOST_BYTES)}"
            raise self._too_much(
                f"{most}, {self._shown(path)} alone {rough_size(seen.st_size)}{sparse}"
                if seen.st_size > MOST_BYTES // 4
                else most
            )

    def _too_much(self, what: str) -> SpecError:
        return problem(
            f"{self._relative!r} has too much in it for a build: {what}",
            self._where,
            hint="leave out what the build does not need, by the `exclude` of a copy or in an ignore file,"
            " or mount it",
        )

    def unreadable(self, path: str, error: OSError) -> SpecError:
        """The SpecError for what cannot be read."""
        message = f"{self._shown(path)} cannot be read: {error.strerror or error}"
        return problem(message, self._where, hint=f"allow it, or {_LEAVE_OUT}")

    def _shown(self, path: str) -> str:
        return repr(SourceTree(self.origin).place(SourceEntry(path)))


# --- what it comes to -----------------------------------------------------------------------


def _digest(entries: Iterable[SourceEntry], line: Callable[[SourceEntry], str]) -> str:
    summary = hashlib.sha256()
    for entry in entries:
        summary.update(line(entry).encode("utf-8", "surrogateescape"))
    return summary.hexdigest()


def _copied_line(entry: SourceEntry) -> str:
    kind = "program" if entry.kind is EntryKind.FILE and entry.is_program else entry.kind.value
    return f"{kind}\0{entry.path}\0{entry.digest}\n"


def _sent_line(entry: SourceEntry) -> str:
    return f"{entry.kind.value} {entry.mode:o}\0{entry.path}\0{entry.digest}\n"


def _copy_notes(
    relative: str, origin: str, ours: rules.CopyRules, entries: Sequence[SourceEntry]
) -> Iterator[str]:
    if ours.ignored_sizes:
        yield rules.ignored_text(relative, origin, ours.ignored_sizes)
    for pattern in ours.unused():
        yield f"copy {relative}: the pattern {shown(pattern)} of its `exclude` matches nothing"
    yield from _left_out(f"copy {relative}", ours.left_out)
    outside = [entry for entry in entries if _leads_out(entry)]
    for entry in outside[:3]:
        place = SourceTree(origin).place(entry)
        yield (
            f"copy {relative} takes {shown(place)[1:-1]} as a link to {shown(entry.digest)[1:-1]},"
            " which is outside what is copied"
        )


def _leads_out(entry: SourceEntry) -> bool:
    """Whether a relative link leads out of the folder that is copied."""
    if entry.kind is not EntryKind.LINK or entry.digest.startswith("/"):
        return False
    to = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.digest))  # noqa: PTH118, PTH120
    return to == ".." or to.startswith("../")


def _left_out(what: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        names = ", ".join(shown(one)[1:-1] for one in sorted(paths)[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        yield f"{what} leaves out what is no file, folder or link: {names}{more}"
