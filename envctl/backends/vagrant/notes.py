"""What a machine's stamp tells of its units: what each was settled for. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


def is_task(unit: Mapping[str, Any]) -> bool:
    """Whether the unit that a note is of runs to completion."""
    return bool(run_of(unit).get("kind") == "task")


def run_of(unit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run that the unit of a note was made for; {} if it cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(unit["run"])
        return found if isinstance(found, dict) else {}
    return {}
