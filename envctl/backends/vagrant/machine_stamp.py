"""What a machine's stamp tells of its units: what each was settled for. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

EVENTS: Final = ("hooks", "stopped", "ended")
"""What a note tells beside what the unit was settled for: hooks that have run, that and how it was stopped, with what it ended."""


def is_task(unit: Mapping[str, Any]) -> bool:
    """Whether the unit that a note is of runs to completion."""
    return bool(run_of(unit).get("kind") == "task")


def run_of(unit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run that the unit of a note was made for; {} if it cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        run = json.loads(unit["run"])
        return run if isinstance(run, dict) else {}
    return {}


def with_unit(stamp: Mapping[str, Any], unit: str, **more: Any) -> Mapping[str, Any]:
    """A stamp with more in the note of a unit, which is there."""
    units = stamp["units"]
    return {**stamp, "units": {**units, unit: {**units[unit], **more}}}


def without_events(stamp: Mapping[str, Any], unit: str) -> Mapping[str, Any]:
    """A stamp without what happened to a unit, which is there, since it was settled."""
    units = stamp["units"]
    note = {key: value for key, value in units[unit].items() if key not in EVENTS}
    return {**stamp, "units": {**units, unit: note}}
