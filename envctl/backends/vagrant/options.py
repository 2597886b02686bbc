"""`options.vagrant`: settings that only machines have. A closed list.

===========  ==========================================================  =======
option       value                                                       example
===========  ==========================================================  =======
cpus         whole number of virtual processors                          2
memory       of the machine: bytes, or a number with k, m or g           1g
disk_size    of each volume, as a number with g                          10g
layout       machine: its own; single: one for all units with `single`   single
build        image, of a container engine; provision, in a machine;      provision
             auto: an image where an engine answers
stop_signal  name of the signal that stops the process of a unit         SIGINT
ulimits      mapping of name to number or {soft, hard}                   {nofile: 65536}
===========  ==========================================================  =======
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import ceil
from typing import Any, Final

from envctl.backends.common import ulimits
from envctl.plan.model import Unit
from envctl.plan.text import shown

_UNITS: Final = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE: Final = re.compile(r"(\d+)\s*([bkmg]?)b?", re.IGNORECASE)
_SIGNAL: Final = re.compile(r"SIG[A-Z0-9+-]{1,20}")
_MEGABYTE: Final = 1024**2
_OVERHEAD: Final = 256 * _MEGABYTE
"""How much memory a machine needs in addition to its unit's limit, in bytes."""
_DEFAULT_MEMORY: Final = 512 * _MEGABYTE
AUTO: Final = "auto"
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "layout": ("machine", "single"),
    "build": ("image", "provision", AUTO),
}

EXPECTED: Final[Mapping[str, str]] = {
    "cpus": "a whole number, 1 or more",
    "memory": "bytes, or a number with k, m or g; 128m or more",
    "disk_size": "a number with g, such as 10g",
    "stop_signal": "the name of a signal, such as SIGINT",
    "ulimits": ulimits.EXPECTED,
    **{name: ", ".join(words[:-1]) + f" or {words[-1]}" for name, words in _CHOICES.items()},
}


def problems(options: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """All mistakes in these options: name, message, expected value, hint."""
    mistakes = []
    for name, value in options.items():
        if name not in EXPECTED:
            similar = get_close_matches(name, EXPECTED)
            hint = f"did you mean {similar[0]!r}?" if similar else ""
            expected = "one of " + ", ".join(EXPECTED)
            mistakes.append((name, f"no such option: options.vagrant.{name}", expected, hint))
        elif not _fits(name, value):
            mistakes.append(
                (name, f"{shown(value)} is not a valid value for {name}", EXPECTED[name], "")
            )
    return mistakes


def _fits(name: str, value: Any) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "stop_signal":
        return isinstance(value, str) and _SIGNAL.fullmatch(value) is not None
    if name == "ulimits":
        try:
            ulimits.read(value)
            return True
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
    if name == "cpus":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    size = _size(value)
    return size is not None and size >= (128 * _MEGABYTE if name == "memory" else 1024**3)


def _size(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    match = _SIZE.fullmatch(str(value).strip())
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def cpus(unit: Unit) -> int:
    """The number of virtual processors of the unit's machine."""
    return int(unit.run.options.get("cpus") or ceil(unit.run.resources.cpus or 1))


def missing_memory(unit: Unit) -> int:
    """How many MiB the configured memory is below the unit's limit plus the machine's own needs; 0 if it is enough."""
    configured, limit = _size(unit.run.options.get("memory")), unit.run.resources.memory
    if not configured or not limit:
        return 0
    return max(0, (limit + _OVERHEAD - configured) // _MEGABYTE)


def memory(unit: Unit) -> int:
    """The machine's memory in MiB."""
    size = _size(unit.run.options.get("memory"))
    limit = unit.run.resources.memory
    return (size or (limit + _OVERHEAD if limit else _DEFAULT_MEMORY)) // _MEGABYTE


def memory_together(units: Sequence[Unit]) -> int:
    """The memory of one machine for all these units, in MiB."""
    sizes = filter(None, (_size(unit.run.options.get("memory")) for unit in units))
    limits = sum(unit.run.resources.memory or _DEFAULT_MEMORY - _OVERHEAD for unit in units)
    return max([limits + _OVERHEAD, *sizes]) // _MEGABYTE


def stop_signal(unit: Unit) -> str:
    """The signal that stops the unit's process."""
    return str(unit.run.options.get("stop_signal", "SIGTERM"))


def disk_size(unit: Unit) -> str:
    """The maximum size of each volume, in Vagrant's format."""
    return f"{(_size(unit.run.options.get('disk_size', '10g')) or 0) // 1024**3}G"
