"""Differences in `options`: the settings of a backend's own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from envctl.plan.field_difference import FieldDifference, FieldDifferences
from envctl.plan.values import changed, value_text, word_text

_HOST: Final = "shares it with this host"
_NAMESPACES: Final = ("cgroupns", "ipc", "network_mode", "pid", "userns_mode", "uts")


def options(old: Any, new: Any) -> FieldDifferences:
    """Yield the differences between the old and the new options."""
    yield from _below("option", old, new, ("options",))


def _below(what: str, old: Any, new: Any, path: tuple[str | int, ...]) -> FieldDifferences:
    """Yield the differences between two mappings at any depth; for lists, the added and removed items."""
    for key in sorted({*old, *new}):
        was, now, here = old.get(key), new.get(key), (*path, key)
        name = f"{what} {word_text(key)}"
        if was == now:
            continue
        if isinstance(was, dict | None) and isinstance(now, dict | None) and (was or now):
            yield from _below(name, was or {}, now or {}, here)
        elif isinstance(was, list | None) and isinstance(now, list | None):
            yield from _items(name, was or [], now or [], here)
        else:
            yield FieldDifference(
                here, changed(name, value_text(was), value_text(now)), _power(here, now)
            )


def _items(
    name: str, old: list[Any], new: list[Any], path: tuple[str | int, ...]
) -> FieldDifferences:
    come = [item for item in new if item not in old]
    gone = [item for item in old if item not in new]
    for item in come:
        yield FieldDifference(path, f"{name} {value_text(item)} added", _power(path, item))
    for item in gone:
        yield FieldDifference(path, f"{name} {value_text(item)} removed")
    if not come and not gone:
        yield FieldDifference(path, f"{name} in another order")


def _power(path: Sequence[str | int], value: Any) -> str:
    """Return the warning about an option's new value, if it needs one."""
    name = str(path[1]) if len(path) > 1 else ""
    if name == "privileged" and value:
        return "has all powers of root on this host"
    if name in ("devices", "device_cgroup_rules", "gpus") and value is not None:
        return "reaches a device of this host"
    if name in ("cap_add", "security_opt") and value is not None:
        return "more privileges"
    return _HOST if name in _NAMESPACES and value == "host" else ""
