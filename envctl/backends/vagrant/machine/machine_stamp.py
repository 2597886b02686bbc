"""The stamp of a machine, in its libvirt metadata: what the machine and its units were created for. Pure.

It has a note for each unit: what the unit was set up for, and the events since then.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

NAMESPACE: Final = "https://envctl.dev/stamp/2"
"""The XML namespace of stamps; its number is the version of their format."""
EVENTS: Final = ("hooks", "stopped", "ended")
"""Keys of events in a note: succeeded hooks, the record when it was stopped, its exit code."""

ONE_OFFS: Final = "one_offs"
"""The key of the one-offs that a machine was made, started or changed for: see one_off_machines.py."""
SHUTTING_DOWN: Final = "shutting_down"
"""The key that marks a machine that is shutting down. Its next start removes the key."""


def pack(stamp: Mapping[str, Any]) -> str:
    """A stamp as text for the XML."""
    return base64.b64encode(zlib.compress(json.dumps(stamp).encode())).decode()


def unpack(text: str) -> Mapping[str, Any] | None:
    """The stamp in a text; None if it cannot be read."""
    try:
        stamp = json.loads(zlib.decompress(base64.b64decode(text)))
    except (ValueError, zlib.error):
        return None
    return stamp if isinstance(stamp, dict) else None


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
    """A stamp with additions to the note of a unit, which must exist."""
    units = stamp["units"]
    return {**stamp, "units": {**units, unit: {**units[unit], **more}}}


def after_start(one_offs: Mapping[str, Any], unit: str) -> Mapping[str, Any]:
    """The part of a stamp about one-off commands, after a unit was started: the unit and its machine are up from now on."""
    if not one_offs:
        return {}
    others = [other for other in one_offs["units"] if other != unit]
    return {ONE_OFFS: {**one_offs, "units": others, "started": False}}


def without_events(stamp: Mapping[str, Any], unit: str) -> Mapping[str, Any]:
    """A stamp without the events of a unit, whose note must exist."""
    units = stamp["units"]
    note = {key: value for key, value in units[unit].items() if key not in EVENTS}
    return {**stamp, "units": {**units, unit: note}}
