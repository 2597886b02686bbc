"""Limits of a process that every unit has, wherever it runs. Pure.

Left alone, a container has the limits of its engine and a machine's service those of its init, which are others
on every host. The hard limits are low enough for an engine that may not raise its own. `ulimits` among a
backend's options sets one otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Limits: TypeAlias = Mapping[str, tuple[int, int]]
"""By name as `ulimits` have it, soft and hard limit; UNLIMITED is none."""

UNLIMITED: Final = -1
EXPECTED: Final = "a mapping of name to number or {soft, hard}"
_USUAL: Final[Limits] = {
    "core": (0, UNLIMITED),
    "memlock": (8 * 1024**2, 8 * 1024**2),
    "nofile": (1024, 16384),
    "nproc": (16384, 16384),
    "sigpending": (16384, 16384),
}
_NAMES: Final = frozenset(
    {"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc"}
    | {"rss", "rtprio", "rttime", "sigpending", "stack"}
)


def limits(options: Mapping[str, Any]) -> Limits:
    """The limits of a unit with these options, which must be right; by name, sorted."""
    return dict(sorted({**_USUAL, **read(options.get("ulimits", {}))}.items()))


def read(value: Any) -> Limits:
    """Limits as the spec has them. ValueError, TypeError, KeyError, AttributeError if they are none."""
    found: dict[str, tuple[int, int]] = {}
    for name, item in sorted(value.items()):
        if name not in _NAMES:
            raise ValueError(name)
        soft, hard = (item["soft"], item["hard"]) if isinstance(item, Mapping) else (item, item)
        found[name] = _limit(soft), _limit(hard)
    return found


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < UNLIMITED:
        raise ValueError(value)
    return value
