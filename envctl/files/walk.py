"""Walks a folder of the project. It never follows links, even if the folder changes meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from envctl.host.safe_read import FOLDER
from envctl.lazy_dataclass import dataclass

DEEPEST: Final = 200
"""The maximum depth of nested folders."""
_S = TypeVar("_S")


class TooDeepError(Exception):
    """Folders are nested deeper than DEEPEST; its text is the path."""


class UnreadableError(Exception):
    """A folder that cannot be listed."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(path)
        self.path = path
        self.error = error


class Thing(NamedTuple, Generic[_S]):
    """A path found in a walk, relative to its top, and how to open it: by its name in an open folder."""

    path: str
    name: str
    seen: os.stat_result
    folder: int
    state: _S

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, not a link to one."""
        return stat.S_ISDIR(self.seen.st_mode)


class Rules(Protocol[_S]):
    """Which paths of a tree are included. A state is what the rules know about a folder."""

    def decide(self, above: _S, thing: Thing[_S]) -> tuple[bool, _S | None]:
        """Whether a path is included; and for a folder the state inside, None to exclude all of it."""

    def entered(self, state: _S, path: str, folder: int, /) -> _S:
        """Return the same state, once the folder is open."""


@dataclass(slots=True)
class _Level(Generic[_S]):
    folder: int
    state: _S
    things: Iterator[Thing[_S]]
    held: Thing[_S] | None
    """The folder itself, if it is excluded and nothing in it was included yet; the levels above have none unless this one has."""


def walk(top: int, rules: Rules[_S], state: _S) -> Iterator[Thing[_S]]:
    """Yield the included paths of an open folder: each folder before its contents, names in order.

    An excluded folder is included if something in it is. A path can be opened until the next one is requested.
    TooDeepError; UnreadableError.
    """
    levels = [_level(top, "", rules.entered(state, "", top), None)]
    try:
        while levels:
            level = levels[-1]
            thing = next(level.things, None)
            if thing is None:
                levels.pop()
                if level.folder != top:
                    os.close(level.folder)
                continue
            is_included, below = rules.decide(level.state, thing)
            if is_included:
                if level.held is not None:
                    yield from _held(levels)
                yield thing
            if below is not None and thing.is_folder:
                if len(levels) >= DEEPEST:
                    raise TooDeepError(thing.path)
                below_level = _enter(rules, thing, below, held=None if is_included else thing)
                if below_level:
                    levels.append(below_level)
    finally:
        for level in levels[1:]:
            os.close(level.folder)


def _things(
    folder: int, prefix: str, state: _S, entries: Sequence[os.DirEntry[str]]
) -> Iterator[Thing[_S]]:
    for entry in entries:
        name = entry.name
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield Thing(prefix + name, name, seen, folder, state)


def _enter(
    rules: Rules[_S], thing: Thing[_S], state: _S, *, held: Thing[_S] | None
) -> _Level[_S] | None:
    try:
        folder = os.open(thing.name, FOLDER, dir_fd=thing.folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(thing.path, error) from error
    try:
        return _level(folder, f"{thing.path}/", rules.entered(state, thing.path, folder), held)
    except BaseException:
        os.close(folder)
        raise


def _level(folder: int, prefix: str, state: _S, held: Thing[_S] | None) -> _Level[_S]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=attrgetter("name"))
    except OSError as error:
        raise UnreadableError(prefix.rstrip("/"), error) from error
    return _Level(folder, state, _things(folder, prefix, state, entries), held)


def _held(levels: list[_Level[_S]]) -> Iterator[Thing[_S]]:
    """Yield the excluded folders above a path, once something in them is included."""
    for level in levels:
        if level.held is not None:
            yield level.held
            level.held = None
