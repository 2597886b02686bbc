"""The user's cache, shared by all projects. It may be deleted at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def shared(*parts: str, environ: Mapping[str, str] = os.environ) -> Path:
    """A folder or file in the user's cache; it may not exist yet."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache").joinpath("envctl", *parts)
