"""Records which ports of this host a checkout uses: a small file per target in the private state.

This way a target gets the same ports after `down` and `up`, and two checkouts choose different ones. If a record is
lost, only that is lost: existing units still know their ports.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import Final

from envctl.errors import EnvctlError
from envctl.host.atomic_write import replace_file
from envctl.host.file_lock import locked
from envctl.host.private_state import (
    NO_ROOM,
    existing_folder,
    likely_folder,
    open_private,
    private_folder,
    state_folder,
)
from envctl.lazy_dataclass import dataclass

_FOLDER: Final = "ports"
_LONGEST: Final = 1 << 20
_PATIENCE: Final = 60.0
"""How many seconds to wait for other runs that choose ports. Choosing takes milliseconds."""


@dataclass(frozen=True, slots=True)
class PortRecord:
    """The ports of a target: `chosen` ones by key, and the `fixed` ones that the spec names.

    With `free_ports`, the target takes free ports even where the spec names ports.
    """

    chosen: Mapping[str, int] = field(default_factory=dict)
    fixed: frozenset[int] = frozenset()
    free_ports: bool = False


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """The record of a target, such as "dev@docker", and the folder of its checkout."""

    root: Path
    target: str
    record: PortRecord


def read_record(root: Path, target: str) -> PortRecord:
    """The record of a target; an empty one if it does not exist or cannot be read."""
    try:
        folder = existing_folder(root, _FOLDER)
    except EnvctlError:
        return PortRecord()
    return _read(folder / f"{target}.json") if folder else PortRecord()


def write_record(root: Path, target: str, record: PortRecord) -> None:
    """Record the ports of a target. Does nothing if the disk is full or read-only."""
    data = {
        "free_ports": record.free_ports,
        "chosen": dict(sorted(record.chosen.items())),
        "fixed": sorted(record.fixed),
    }
    try:
        file = private_folder(root, _FOLDER) / f"{target}.json"
        replace_file(file, json.dumps(data, indent=1).encode(), mode=0o600, durable=False)
    except (EnvctlError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if getattr(cause, "errno", None) not in NO_ROOM:
            raise


def other_records(root: Path, target: str) -> Iterator[OtherRecord]:
    """The records of all other targets in this user's checkouts whose folders still exist."""
    own_folder = existing_folder(root)
    for file in sorted(state_folder().glob(f"projects/*/{_FOLDER}/*@*.json")):
        project = file.parent.parent
        if (project, file.stem) == (own_folder, target):
            continue
        folder = _root_of(project)
        if folder is not None and folder.is_dir():
            yield OtherRecord(folder, file.stem, _read(file))


@contextmanager
def choosing(root: Path) -> Iterator[None]:
    """Keep other runs of this user from choosing ports meanwhile. EnvctlError if they take too long."""
    # Lock the folder that all checkouts share. If it does not exist because the disk is read-only, no lock is possible.
    folder = likely_folder(root).parent
    if not folder.is_dir():
        yield
        return
    try:
        with locked(folder, patience=_PATIENCE):
            yield
    except BlockingIOError:
        raise EnvctlError(
            "another envctl has been choosing ports for more than a minute",
            hint="wait for it, or stop it, and try again",
        ) from None


def _root_of(project: Path) -> Path | None:
    with suppress(OSError, EnvctlError):
        text = _content(project / "project")
        return Path(os.fsdecode(text.removesuffix(b"\n"))) if text else None
    return None


def _read(file: Path) -> PortRecord:
    try:
        data = json.loads(_content(file))
        return PortRecord(
            {str(key): int(number) for key, number in data["chosen"].items()},
            frozenset(int(number) for number in data["fixed"]),
            bool(data["free_ports"]),
        )
    except (EnvctlError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return PortRecord()


def _content(file: Path) -> bytes:
    with os.fdopen(open_private(file, os.O_RDONLY), "rb") as stream:
        return stream.read(_LONGEST)
