"""Image names that several packages share. It imports nothing, because every command loads it."""

from __future__ import annotations

import hashlib


def base_image(name: str, snapshot: str = "") -> str:
    """Return the image of a base of the catalogue: the official one, or another for each dated mirror."""
    if not snapshot:
        return name
    return f"envctl-base/{name}-{hashlib.sha256(snapshot.encode()).hexdigest()[:12]}"
