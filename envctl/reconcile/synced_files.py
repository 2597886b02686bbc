"""Remembers the files of units into which `watch` has synced files.

The record is in the project's private folder, one per target. It is valid only while the engine has the unit with the
same id. It may be deleted at any time; `watch` and `up` then replace the unit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.private_state import existing_folder, open_private, private_folder
from envctl.plan.model import Plan, ReadyImage
from envctl.plan.state import Observed
from envctl.reconcile.live_code import KnownFiles

_FOLDER: Final = "synced"


def load(root: Path, target: str) -> Mapping[str, KnownFiles]:
    """Return the records of a target's units, by name."""
    folder = existing_folder(root, _FOLDER)
    if folder is None:
        return {}
    try:
        with os.fdopen(open_private(folder / f"{target}.json", os.O_RDONLY), "rb") as file:
            units = json.loads(file.read())
        return {
            name: KnownFiles(**{**data, "synced": tuple(data["synced"])})
            for name, data in units.items()
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def save(root: Path, target: str, units: Mapping[str, KnownFiles]) -> None:
    """Save the records of a target's units."""
    path = private_folder(root, _FOLDER) / f"{target}.json"
    text = json.dumps({name: asdict(files) for name, files in units.items()}, separators=(",", ":"))
    try:
        replace_file(path, text.encode("utf-8", "surrogatepass"), mode=0o600, durable=False)
    except OSError as error:
        raise EnvctlError(f"{path} cannot be written: {error.strerror}") from error


def with_synced(observed: Observed, plan: Plan, units: Mapping[str, KnownFiles]) -> Observed:
    """Return the state, with units whose files were made those of the plan's build as if they were made of it. Pure."""
    synced = {
        unit.name: replace(state, build=unit.source.digest, outdated=False)
        for unit in plan.units
        if not isinstance(unit.source, ReadyImage)
        and (known := units.get(unit.name)) is not None
        and (state := observed.units.get(unit.name)) is not None
        and known.synced
        and (known.id, known.build) == (state.id, unit.source.digest)
    }
    return replace(observed, units={**observed.units, **synced}) if synced else observed
