"""The causes of replacing a unit: what differs between its recorded run and the planned one, with places. Pure.

A field that needs its own wording has a function here; any other is shown as `NAME OLD → NEW`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from envctl.errors import Place
from envctl.plan.changes import Cause
from envctl.plan.digest import plain
from envctl.plan.field_difference import FieldDifference, FieldDifferences, other_differences
from envctl.plan.model import Run, Unit
from envctl.plan.options_differences import options
from envctl.plan.platforms import UNSET
from envctl.plan.port_and_mount_differences import mounts, ports, secrets, volumes
from envctl.plan.text import argv_text, size_text
from envctl.plan.values import changed, seconds_text, value_text, word_text

EVERYTHING: Final = "everything"
"""Stands for all fields, if it is unknown which ones differ."""
_UNREADABLE: Final = "it was created with other settings"
_OTHER_VERSION: Final = "it was created by another version of envctl"


def changed_fields(unit: Unit, recorded: str) -> frozenset[str]:
    """Return the fields of the run that differ from the `run_text` that was recorded; EVERYTHING if that cannot be read."""
    old, new = _read(recorded), plain(unit.run)
    if old is None:
        return frozenset({EVERYTHING})
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return frozenset(changed or {EVERYTHING})


def run_causes(unit: Unit, recorded: str) -> tuple[Cause, ...]:
    """Return all that differs between the unit's run and the `run_text` that was recorded: one cause at least."""
    old, new = _read(recorded), plain(unit.run)
    if old is None:
        return (Cause(_UNREADABLE, unit.where),)
    causes = [
        Cause(text, place(unit, path), warning)
        for key in (*new, *sorted(old.keys() - new.keys()))
        if old.get(key) != new.get(key)
        for path, text, warning in _field(key, old.get(key), new.get(key))
    ]
    return tuple(dict.fromkeys(causes)) or (Cause(_OTHER_VERSION, unit.where),)


def _read(recorded: str) -> Mapping[str, Any] | None:
    """Return the recorded run; fields that an earlier version did not record have their defaults."""
    try:
        old = json.loads(recorded)
    except (ValueError, RecursionError):
        return None
    return {**plain(Run()), **old} if isinstance(old, dict) else None


def place(unit: Unit, path: Sequence[str | int]) -> Place | None:
    """Return the place in the spec that set a value of the unit's run, or the nearest one around it."""
    for end in range(len(path), 0, -1):
        if (spot := unit.origins.get(".".join(map(str, path[:end])))) is not None:
            return spot
    return unit.where


def _field(key: str, old: Any, new: Any) -> FieldDifferences:
    tell, name = _FIELDS.get(key), word_text(key)
    try:
        differences = list(tell(old, new)) if tell else []
    except (TypeError, KeyError, AttributeError, ValueError):
        # It was recorded in another form, or edited by hand.
        differences = [FieldDifference((key,), f"{name} changed")]
    if differences:
        yield from differences
    elif tell and isinstance(old, list):
        yield FieldDifference((key,), f"{name} in another order")
    else:
        yield FieldDifference((key,), changed(name, value_text(old), value_text(new)))


# --- the process ----------------------------------------------------------------------------


def _process(old: Any, new: Any) -> FieldDifferences:
    if old["argv"] != new["argv"]:
        commands = (
            "as the image has it" if value is None else argv_text(value)
            for value in _both(old, new, "argv")
        )
        yield FieldDifference(("process", "argv"), changed("command", *commands))
    if old["user"] != new["user"]:
        users = (_image_default(value) for value in _both(old, new, "user"))
        yield FieldDifference(("process", "user"), changed("user", *users), _root(new["user"]))
    if old["workdir"] != new["workdir"]:
        folders = (_image_default(value) for value in _both(old, new, "workdir"))
        yield FieldDifference(("process", "workdir"), changed("workdir", *folders))
    before, after = ({**side["env"], **side.get("secret_env", {})} for side in (old, new))
    for name in sorted({*before, *after}):
        values = before.get(name), after.get(name)
        if values[0] != values[1]:
            texts = map(value_text, values)
            yield FieldDifference(
                ("process", "env", name), changed(f"env {word_text(name)}", *texts)
            )
    had, has = old["capabilities"], new["capabilities"]
    path = ("process", "capabilities")
    for name in has:
        if name not in had:
            yield FieldDifference(path, f"capability {word_text(name)} added", "more privileges")
    for name in had:
        if name not in has:
            yield FieldDifference(path, f"capability {word_text(name)} removed")


def _both(old: Any, new: Any, key: str) -> tuple[Any, Any]:
    return old[key], new[key]


def _image_default(name: str | None) -> str:
    return "as the image has it" if name is None else word_text(name)


def _root(user: str | None) -> str:
    if user is None:
        return "may run as root"
    return "runs as root" if user.partition(":")[0] in ("root", "0", "") else ""


# --- how it is kept -------------------------------------------------------------------------


_TIMES: Final = {"interval": "every", "timeout": "timeout", "start_period": "start period"}


def _probe(old: Any, new: Any) -> FieldDifferences:
    if old is None or new is None:
        yield FieldDifference(("probe",), f"healthcheck {'added' if old is None else 'removed'}")
        return
    tests = [f"{probe['kind']} {argv_text(probe['test'])}" for probe in (old, new)]
    if (old["kind"], old["test"]) != (new["kind"], new["test"]):
        yield FieldDifference(("probe", "test"), changed("healthcheck", *tests))
    for key, word in _TIMES.items():
        if old[key] != new[key]:
            times = map(seconds_text, _both(old, new, key))
            yield FieldDifference(("probe", key), changed(f"healthcheck {word}", *times))
    yield from other_differences(
        "healthcheck", old, new, ("probe",), known=("kind", "test", *_TIMES)
    )


def _resources(old: Any, new: Any) -> FieldDifferences:
    for key, tell in (("memory", size_text), ("cpus", "{:g}".format)):
        if old[key] != new[key]:
            limits = (
                "unlimited" if limit is None else tell(limit) for limit in _both(old, new, key)
            )
            yield FieldDifference(("resources", key), changed(key, *limits))
    yield from other_differences("limit", old, new, ("resources",), known=("memory", "cpus"))


def _aliases(old: Any, new: Any) -> FieldDifferences:
    for name in new:
        if name not in old:
            yield FieldDifference(("aliases",), f"network name {word_text(name)} added")
    for name in old:
        if name not in new:
            yield FieldDifference(("aliases",), f"network name {word_text(name)} removed")


def _platform(old: Any, new: Any) -> FieldDifferences:
    yield FieldDifference(
        ("platform",),
        changed("platform", *(word_text(platform or UNSET) for platform in (old, new))),
    )


def _word(key: str) -> Callable[[Any, Any], FieldDifferences]:
    """Return a function that describes changes of a field whose value is a single word."""

    def tell(old: Any, new: Any) -> FieldDifferences:
        yield FieldDifference((key,), changed(key, word_text(old), word_text(new)))

    return tell


# --- all of them -----------------------------------------------------------------------------


_FIELDS: Final[Mapping[str, Callable[[Any, Any], FieldDifferences]]] = {
    "process": _process,
    "ports": ports,
    "mounts": mounts,
    "volumes": volumes,
    "secrets": secrets,
    "probe": _probe,
    "restart": _word("restart"),
    "resources": _resources,
    "aliases": _aliases,
    "options": options,
    "kind": _word("kind"),
    "platform": _platform,
}
