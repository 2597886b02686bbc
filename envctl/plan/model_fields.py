"""Fields of a plan that do not count, or do not always count, for what a thing is."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def metadata_field(default: Any = None) -> Any:
    """A field that two equal things may differ in: left out of digests and comparisons."""
    return field(default=default, compare=False, metadata={"is_metadata": True})


def added_field(default: Any) -> Any:
    """A field that came later: as long as it is empty, digests are what they were without it."""
    return field(default=default, metadata={"is_added": True})
