"""Notes about disks and checkouts that make builds differ from those on other machines."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from envctl.files.hashes import WINDOWS, WINDOWS_SCRIPT, line_ends
from envctl.host.links import followed
from envctl.host.safe_read import FILE
from envctl.plan.text import shown

_SPEC: Final = "envctl.yaml"
_SHOWN: Final = 3
_MOST_LOOKED_AT: Final = 2000
"""The number of paths in a mounted folder that are checked. Checking more would delay the unit."""
_SKIPPED: Final = frozenset({".git", ".venv", "node_modules", "vendor", "__pycache__"})
"""Folders with third-party code."""
_LINE: Final = 4096
_READ_WELL: Final = (".gitignore", ".dockerignore", ".envctlignore")
"""Files whose readers accept Windows line ends."""


def of_modes(root: Path, modes: Collection[int]) -> Iterator[str]:
    """Yield the note if every file is executable, as on a disk without permissions: even the spec, which is not a program."""
    if not modes or not all(mode & 0o111 for mode in modes) or not _is_program(root / _SPEC):
        return
    yield (
        f"every file of {shown(str(followed(root)))[1:-1]} is a program, {_SPEC} too: its disk keeps no permissions,"
        " so builds differ from those of other machines; have git track the files, whose record then counts in a `copy`"
        " (`git update-index --chmod=+x FILE` for programs), or set the `mode` of the copy, or work on a disk that keeps"
        " them (in WSL: not below /mnt)"
    )


def _is_program(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o111)
    except OSError:
        return False


def of_line_ends(ends: Mapping[str, int]) -> Iterator[str]:
    """Yield the note about files whose lines end as on Windows."""
    scripts = sorted(path for path, end in ends.items() if end == WINDOWS_SCRIPT)
    if scripts:
        yield (
            f"{_names(scripts)}: the line that says what runs the script ends as on Windows (CRLF), so that no such"
            f" program is found; {_remedy(scripts[0])}"
        )
    values = sorted(path for path, end in ends.items() if end == WINDOWS and _is_read(path))
    if values:
        yield (
            f"{_names(values)}: lines end as on Windows (CRLF), which most programs take for part of a value or pattern;"
            f" {_remedy(values[0])}"
        )


def of_mount(source: Path, root: Path) -> Iterator[str]:
    """Yield the notes about line ends in a mounted file or folder of the project."""
    home = followed(root)
    if source.is_relative_to(home):
        line_ends_by_path = {
            path.relative_to(home).as_posix(): ends
            for path in _looked_at(source)
            if (ends := _ends_of(path))
        }
        yield from of_line_ends(line_ends_by_path)


def _looked_at(source: Path) -> Iterator[Path]:
    """Yield the files of a mount whose line ends may matter."""
    if not source.is_dir():
        yield source
        return
    left = _MOST_LOOKED_AT
    folders = [str(source)]
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda item: item.name):
                    left -= 1
                    if left < 0:
                        return
                    if entry.is_dir(follow_symlinks=False):
                        folders += [entry.path] if entry.name not in _SKIPPED else []
                    elif entry.is_file(follow_symlinks=False):
                        yield Path(entry.path)
        except OSError:
            continue


def _ends_of(path: Path) -> int:
    try:
        descriptor = os.open(path, FILE)
    except OSError:
        return 0
    try:
        return line_ends(os.read(descriptor, _LINE))
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def _is_read(path: str) -> bool:
    """Whether a name is that of a file of variables or patterns."""
    name = PurePosixPath(path).name
    return name not in _READ_WELL and (name.startswith(".env") or name.endswith((".env", "ignore")))


def _names(paths: Sequence[str]) -> str:
    names = ", ".join(shown(path)[1:-1] for path in paths[:_SHOWN])
    return f"{names} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else names


def _remedy(path: str) -> str:
    name = PurePosixPath(path)
    pattern = f"*{name.suffix}" if name.suffix else name.name
    return (
        f"write `{pattern} text eol=lf` in .gitattributes and check the files out again"
        " (`git config core.autocrlf input` keeps git from changing line endings at all)"
    )
