"""The notes about units in a machine's stamp: what each was set up for, and what happened to it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

EVENTS: Final = ("hooks", "stopped", "ended")
"""Keys of events in a note: hooks that have run, the record when it was stopped, its exit code."""


def is_task(unit: Mapping[str, Any]) -> bool:
    """Whether the unit of a note is a task."""
    return bool(run_of(unit).get("kind") == "task")


def run_of(unit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run that the unit of a note was set up for; {} if it cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        run = json.loads(unit["run"])
        return run if isinstance(run, dict) else {}
    return {}


def with_unit(stamp: Mapping[str, Any], unit: str, **more: Any) -> Mapping[str, Any]:
    """A stamp with more in the note of a unit; the unit must be in it."""
    units = stamp["units"]
    return {**stamp, "units": {**units, unit: {**units[unit], **more}}}


def without_events(stamp: Mapping[str, Any], unit: str) -> Mapping[str, Any]:
    """A stamp without the events of a unit; the unit must be in it."""
    units = stamp["units"]
    note = {key: value for key, value in units[unit].items() if key not in EVENTS}
    return {**stamp, "units": {**units, unit: note}}
