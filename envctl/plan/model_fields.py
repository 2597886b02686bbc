"""Fields of a plan that never, or only sometimes, count for identity."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def metadata_field(default: Any = None) -> Any:
    """Return a field that two equal things may differ in: left out of digests and comparisons."""
    return field(default=default, compare=False, metadata={"is_metadata": True})


def added_field(default: Any) -> Any:
    """Return a field that was added later. While it is empty, digests stay as they were without it."""
    return field(default=default, metadata={"is_added": True})
