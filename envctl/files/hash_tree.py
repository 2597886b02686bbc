"""The project files of a build: their hash, and the list of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from envctl.errors import Place
from envctl.files import rules
from envctl.files.git_index import knows_no_modes, tracked
from envctl.files.ignore_files import (
    DOCKERIGNORE,
    ENVCTLIGNORE,
    context_ignore,
    git_above,
    project_ignore,
    spelling_notes,
)
from envctl.files.project_paths import located, problem
from envctl.files.tree_reader import TreeReader
from envctl.host.private_state import hidden_below, private_ids
from envctl.host.source_tree import EntryKind, SourceEntry, SourceTree
from envctl.plan.text import shown

_LINES_AT_ONCE: Final = 1000


class HashedTree(NamedTuple):
    """The files of a build step: their hash, and the list of them."""

    content: str
    tree: SourceTree


def hash_copy(
    root: Path,
    relative: str,
    *,
    exclude: Sequence[str] = (),
    where: Place | None = None,
    covered: Callable[[str], bool] | None = None,
) -> HashedTree:
    """Return a file, or a folder without what `exclude` or the project's ignore file matches.

    `exclude` has the meaning of `.gitignore` in the folder, the ignore file that of `.dockerignore` in the project.
    Neither excludes `relative` itself. `covered` returns whether a path in the folder is not needed.
    """
    origin = located(root, relative, where)
    modes = tracked(root) if knows_no_modes(root) else {}
    reader = TreeReader(root, relative, origin, f"copy\0{origin}", where, modes=modes)
    if covered and covered(""):
        return HashedTree(_digest((), _copied_line), SourceTree(origin))
    if (root / origin).is_file():
        return _hash_file(reader.file())
    name, ignore = project_ignore(root, where)
    ours = rules.CopyRules(exclude, ignore, _private(root, origin), covered)
    with reader.open(origin) as (home, top):
        entries = reader.entries(top, ours, ours.top(origin, git_above(home, origin)))
    if not entries and ours.by_ignore_file:
        raise problem(
            f"copy {relative} would copy nothing: {name} excludes all of it",
            where,
            hint=f"change {name}"
            + (f", or write {ENVCTLIGNORE}, which is used instead" if name == DOCKERIGNORE else ""),
        )
    if ours.ignored_sizes:
        ours.forget(tracked(root), origin)
    notes = (
        *spelling_notes(root, name),
        *_copy_notes(relative, origin, ours, entries),
        *reader.notes(entries),
    )
    tree = SourceTree(origin, entries, notes)
    return HashedTree(_digest(entries, _copied_line), tree)


def hash_context(
    root: Path, relative: str, *, dockerfile: str, where: Place | None = None
) -> HashedTree:
    """Return a folder as the context of a Dockerfile: the files that `docker build` sends."""
    origin = located(root, relative, where)
    if not (root / origin).is_dir():
        raise problem(f"{relative!r} is not a folder", where, hint="a context is a folder")
    reader = TreeReader(root, relative, origin, f"context\0{origin}", where)
    name, ignore = context_ignore(root, relative, dockerfile, where)
    ours = rules.ContextRules(ignore, _private(root, origin))
    with reader.open(origin) as (_, top):
        entries = reader.entries(top, ours, ours.top(), times=True)
    notes = [*spelling_notes(root, name)]
    if ours.has_git:
        notes.append(
            f"the context of {dockerfile} has .git in it, as with `docker build`, so every commit builds it anew;"
            f" name .git in {DOCKERIGNORE} if the build does not need it"
        )
    notes += _left_out(f"the context of {dockerfile}", ours.left_out)
    notes += reader.notes(entries)
    return HashedTree(_digest(entries, _sent_line), SourceTree(origin, entries, tuple(notes)))


def hash_file(root: Path, relative: str, *, where: Place | None = None) -> HashedTree:
    """Return a single file, with its own time."""
    origin = located(root, relative, where)
    if not (root / origin).is_file():
        raise problem(f"{relative!r} is not a file", where)
    reader = TreeReader(root, relative, origin, f"file\0{origin}", where)
    return _hash_file(reader.file(times=True))


def _private(root: Path, origin: str) -> rules.Private:
    return rules.Private(private_ids(root), frozenset(hidden_below(root / origin, root)))


def _hash_file(tree: SourceTree) -> HashedTree:
    return HashedTree(_digest(tree.entries, _copied_line), tree)


def _digest(entries: Iterable[SourceEntry], line: Callable[[SourceEntry], str]) -> str:
    summary, lines = hashlib.sha256(), map(line, entries)
    while text := "".join(islice(lines, _LINES_AT_ONCE)):
        summary.update(text.encode("utf-8", "surrogateescape"))
    return summary.hexdigest()


def _copied_line(entry: SourceEntry) -> str:
    kind = "program" if entry.mode & 0o111 and entry.kind is EntryKind.FILE else entry.kind
    return f"{kind}\0{entry.path}\0{entry.digest}\n"


def _sent_line(entry: SourceEntry) -> str:
    return f"{entry.kind} {entry.mode:o}\0{entry.path}\0{entry.digest}\n"


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
    """Whether a relative link leads out of the copied folder."""
    if entry.kind is not EntryKind.LINK or entry.digest.startswith("/"):
        return False
    to = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.digest))  # noqa: PTH118, PTH120
    return to == ".." or to.startswith("../")


def _left_out(what: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        names = ", ".join(shown(path)[1:-1] for path in sorted(paths)[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        yield f"{what} skips what is neither file, folder nor link: {names}{more}"
