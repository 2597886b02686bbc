"""What a machine's init is asked about its units, in one go, and what its answers mean. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from envctl.backends.vagrant.guest import Room
from envctl.plan.state import Status

_ASKED: Final = (
    "Id", "LoadState", "ActiveState", "SubState", "ExecMainStatus", "ExecMainCode", "NRestarts",
)  # fmt: skip


def question(units: Sequence[str]) -> str:
    """The shell command that asks."""
    services = " ".join(Room(unit).service for unit in units)
    return f"systemctl show {services} --property={','.join(_ASKED)}"


def answers(units: Sequence[str], text: str) -> Mapping[str, tuple[Status, int | None, int]]:
    """By unit: what its process does, its exit code if it has ended, how often it was started again."""
    blocks = [
        dict(line.partition("=")[::2] for line in block.splitlines())
        for block in text.split("\n\n")
    ]
    found = {facts.get("Id", ""): facts for facts in blocks}
    return {
        unit: (*_status(facts), int(facts.get("NRestarts") or 0))
        for unit in units
        for facts in [found.get(Room(unit).service)]
        if facts is not None
    }


def _status(facts: Mapping[str, str]) -> tuple[Status, int | None]:
    active, sub = facts.get("ActiveState", ""), facts.get("SubState", "")
    code = int(facts.get("ExecMainStatus") or 0)
    if facts.get("ExecMainCode") == "2" and code:
        # It was ended by a signal, of which a shell says so.
        code += 128
    if sub == "auto-restart":
        return Status.RESTARTING, code
    if active == "active" and sub == "exited":
        return Status.EXITED, 0
    if active in {"active", "activating", "deactivating", "reloading"}:
        return Status.RUNNING, None
    if facts.get("LoadState") != "loaded" or facts.get("ExecMainCode", "0") == "0":
        return Status.CREATED, None
    return Status.EXITED, code


def is_task(unit: Mapping[str, Any]) -> bool:
    """Whether the unit that a note is of runs to completion."""
    return bool(run_of(unit).get("kind") == "task")


def run_of(unit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run that the unit of a note was made for; {} if it cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(unit["run"])
        return found if isinstance(found, dict) else {}
    return {}
