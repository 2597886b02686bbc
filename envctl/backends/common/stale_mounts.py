"""Whether what is mounted of this host is still what is there: a mount follows the file it was made of, not its name.

An editor that writes another file and gives it the old one's name, or a tool that removes a folder and makes it anew,
leaves the unit with what nobody else sees any more.
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
  found=$(stat -L -c '%h %d %i %s %Y' -- "$path" 2>/dev/null) ||
    found=$(ls -Lldi -- "$path" 2>/dev/null | { read -r i _ h _ && echo "$h - $i - -"; })
  echo "${found:-- - - - -}"
done
"""
"""Prints of each path given: how many names it has, device, number, size, time of the last change; `-` for what nobody can tell."""


_NO_NUMBER: Final = 1
"""What a file system that is passed on to a machine may give its root in place of a number."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mount is seen as inside; None for what cannot be told."""

    names: int | None = None
    device: int | None = None
    number: int | None = None
    size: int | None = None
    changed: int | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it tells nothing."""
        return self.names is None and self.number is None


def seen(paths: Sequence[str], told: str) -> Mapping[str, Seen]:
    """What SCRIPT printed of these paths."""
    found = {}
    for path, line in zip(paths, told.splitlines(), strict=False):
        words = [int(word) if word.isdigit() else None for word in line.split()]
        found[path] = Seen(*words) if len(words) == 5 else Seen()
    return found


def drift(
    mounts: Sequence[Mount], inside: Mapping[str, Seen], *, same_numbers: bool = False
) -> Iterator[Drift]:
    """Mounts that are no longer what the host has at their source.

    With `same_numbers` files have the host's numbers inside though the device is another.
    """
    for index, mount in enumerate(mounts):
        one = inside.get(mount.target, Seen())
        if _is_replaced(mount.source, one, same_numbers=same_numbers):
            source, target = word_text(mount.source), word_text(mount.target)
            text = f"{source} was replaced on this host, and {target} inside is still the old one"
            yield Drift(text, ("mounts", str(index)))


def unchecked(mounts: Iterable[Mount], inside: Mapping[str, Seen]) -> Iterator[str]:
    """Mounts of which nothing could be told."""
    for mount in mounts:
        if inside.get(mount.target, Seen()).is_nothing:
            yield f"whether {word_text(mount.target)} is still what this host has at {word_text(mount.source)}"


def _is_replaced(source: str, one: Seen, *, same_numbers: bool) -> bool:
    if one.names == 0:
        return True  # nobody can reach it by a name any more
    try:
        here = os.stat(source)  # noqa: PTH116 - its number is what counts
    except OSError:
        return False  # that it is gone is told where the spec is checked
    numbered = one.number not in (None, _NO_NUMBER)
    if numbered and (same_numbers or one.device == here.st_dev):
        return one.number != here.st_ino
    # The engine has its own view of the host's files, where numbers may be others.
    if stat.S_ISDIR(here.st_mode) or one.size is None or one.changed is None:
        return False
    return (one.size, one.changed) != (here.st_size, int(here.st_mtime))
