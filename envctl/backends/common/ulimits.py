"""The process limits of every unit, the same on all backends. Pure.

By default, a container has its engine's limits and a service in a machine has systemd's, which differ between hosts.
The hard limits are low enough for an engine that cannot raise its own. A backend's option `ulimits` changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Limits: TypeAlias = Mapping[str, tuple[int, int]]
"""Soft and hard limit, by the name used in `ulimits`; UNLIMITED means none."""

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
    """The limits of a unit with these options, which must be valid; sorted by name."""
    return dict(sorted({**_USUAL, **read(options.get("ulimits", {}))}.items()))


def read(value: Any) -> Limits:
    """Limits from the spec. ValueError, TypeError, KeyError or AttributeError if they are not valid."""
    pairs: dict[str, tuple[int, int]] = {}
    for name, item in sorted(value.items()):
        if name not in _NAMES:
            raise ValueError(name)
        soft, hard = (item["soft"], item["hard"]) if isinstance(item, Mapping) else (item, item)
        pairs[name] = _limit(soft), _limit(hard)
    return pairs


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < UNLIMITED:
        raise ValueError(value)
    return value
