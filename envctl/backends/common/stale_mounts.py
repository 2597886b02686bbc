"""Finds mounts whose source was replaced on this host: a mount follows the file itself, not its name.

An editor that writes a new file and renames it, or a tool that deletes and recreates a folder, leaves the unit with
the old one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Mount
from envctl.plan.state import Drift
from envctl.plan.values import word_text

SCRIPT: Final = r"""
for path do
  fields=$(stat -L -c '%h %d %i %s %Y' -- "$path" 2>/dev/null) ||
    fields=$(ls -Lldi -- "$path" 2>/dev/null | { read -r i _ h _ && echo "$h - $i - -"; })
  echo "${fields:-- - - - -}"
done
"""
"""Prints, for each path: number of links, device, inode, size, time of the last change; `-` for unknown ones."""


_NO_INODE: Final = 1
"""The inode that a file system shared with a machine may show for its root, instead of the real one."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """The `stat` fields of a mount, seen from inside; None for unknown ones."""

    links: int | None = None
    device: int | None = None
    inode: int | None = None
    size: int | None = None
    changed: int | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether the fields are useless."""
        return self.links is None and self.inode is None


def parse(paths: Sequence[str], output: str) -> Mapping[str, FileStat]:
    """Parse the output of SCRIPT for these paths."""
    stats = {}
    for path, line in zip(paths, output.splitlines(), strict=False):
        words = [int(word) if word.isdigit() else None for word in line.split()]
        stats[path] = FileStat(*words) if len(words) == 5 else FileStat()
    return stats


def drift(
    mounts: Sequence[Mount], inside: Mapping[str, FileStat], *, same_inodes: bool = False
) -> Iterator[Drift]:
    """Mounts whose source was replaced on this host.

    With `same_inodes`, files inside have the host's inode numbers, though the device differs.
    """
    for index, mount in enumerate(mounts):
        file = inside.get(mount.target, FileStat())
        if _is_replaced(mount.source, file, same_inodes=same_inodes):
            source, target = word_text(mount.source), word_text(mount.target)
            text = f"{source} was replaced on this host, and {target} inside is still the old one"
            yield Drift(text, ("mounts", str(index)))


def unchecked(mounts: Iterable[Mount], inside: Mapping[str, FileStat]) -> Iterator[str]:
    """Mounts that could not be checked."""
    for mount in mounts:
        if inside.get(mount.target, FileStat()).is_unknown:
            yield f"whether {word_text(mount.target)} is still what this host has at {word_text(mount.source)}"


def _is_replaced(source: str, file: FileStat, *, same_inodes: bool) -> bool:
    if file.links == 0:
        return True  # deleted on the host
    try:
        here = os.stat(source)  # noqa: PTH116 - the same call as in SCRIPT
    except OSError:
        return False  # a missing source is reported when the spec is checked
    if file.inode not in (None, _NO_INODE) and (same_inodes or file.device == here.st_dev):
        return file.inode != here.st_ino
    # The engine has its own view of the host's files, with other inode numbers.
    if stat.S_ISDIR(here.st_mode) or file.size is None or file.changed is None:
        return False
    return (file.size, file.changed) != (here.st_size, int(here.st_mtime))
