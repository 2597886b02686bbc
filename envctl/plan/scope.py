"""Which environment of which checkout something belongs to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Scope:
    """Which environment of which checkout: what resources are named and labelled after.

    `project_id` is made of the folder's absolute path and tells two checkouts of one project apart.
    """

    project: str
    project_id: str
    environment: str
    root: str


def make_scope(project: str, environment: str, root: Path) -> Scope:
    """The scope of an environment of the checkout in `root`."""
    absolute = str(root.resolve())
    identity = hashlib.sha256(absolute.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return Scope(project, identity, environment, absolute)
