"""What of an environment is there: domains and disks from libvirt, services from the machines themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from envctl.backends.vagrant import guest, libvirt
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.lifecycle import PORTS, Lifecycle
from envctl.backends.vagrant.names import Names
from envctl.errors import EnvctlError
from envctl.plan.state import Health, Observed, Status, UnitState

_ASKED: Final = (
    "LoadState", "ActiveState", "SubState", "ExecMainStatus", "ExecMainCode", "NRestarts", "Result",
    "ExecMainStartTimestampMonotonic", "Type",
)  # fmt: skip
QUESTION: Final = f"systemctl show {guest.SERVICE} --property={','.join(_ASKED)}"


def observe(names: Names, boxes: Boxes, lifecycle: Lifecycle, *, images: bool) -> Observed:
    """The environment; with `images` also which builds are at hand."""
    found = {
        unit: domain
        for name, domain in libvirt.domains(f"{names.prefix}_").items()
        if (unit := names.unit(name)) is not None
    }
    with ThreadPoolExecutor(max_workers=max(1, len(found))) as pool:
        states = pool.map(lambda item: _state(names, lifecycle, *item), sorted(found.items()))
        units = {state.name: state for state in states}
    disks = libvirt.disks()
    volumes = {volume for disk in disks if (volume := names.volume(disk)) is not None}
    leftovers = [f"network {one}" for one in libvirt.networks(names.network)]
    leftovers += [f"folder {names.folder}"] if names.folder.is_dir() else []
    return Observed(
        units, boxes.here() if images else {}, frozenset(volumes), tuple(sorted(leftovers))
    )


def _state(names: Names, lifecycle: Lifecycle, unit: str, domain: libvirt.Domain) -> UnitState:
    stamp = domain.stamp
    if stamp is None:
        return UnitState(unit, unit, Status.CREATED, id=domain.uuid)
    state = UnitState(
        unit,
        str(stamp["service"]),
        Status.EXITED,
        replica=int(stamp["replica"]),
        build=str(stamp["build"]),
        run=str(stamp["run"]),
        id=domain.uuid,
    )
    if not domain.running:
        return _replaced(state, cause="" if _is_task(state) else "its machine is off")
    machine = lifecycle.machine(unit)
    ports = _ports(names, unit)
    if ports and not machine.connected():
        return _replaced(state, cause="its ports are not forwarded any more")
    try:
        facts = dict(
            line.partition("=")[::2] for line in machine.run(QUESTION, timeout=30).splitlines()
        )
    except EnvctlError as error:
        return _replaced(state, cause=error.brief)
    status, code = _status(facts)
    running = status is Status.RUNNING
    return _replaced(
        state,
        status=status,
        exit_code=code,
        restarts=int(facts.get("NRestarts") or 0) if status is Status.RESTARTING else 0,
        health=Health.STARTING if running and _has_probe(state) else Health.NONE,
        addresses=tuple(f"{_host(where)}:{port}" for where, port in ports.items())
        if running
        else (),
    )


def _replaced(state: UnitState, **changes: object) -> UnitState:
    from dataclasses import replace

    return replace(state, **changes)  # type: ignore[arg-type]


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


def _is_task(state: UnitState) -> bool:
    with suppress(ValueError):
        return bool(json.loads(state.run).get("kind") == "task")
    return False


def _has_probe(state: UnitState) -> bool:
    with suppress(ValueError):
        return bool(json.loads(state.run).get("probe"))
    return False


def _ports(names: Names, unit: str) -> Mapping[str, int]:
    with suppress(OSError, ValueError):
        found = json.loads((names.machine(unit) / PORTS).read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _host(where: str) -> str:
    address = where.partition("/")[0]
    return "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - recognised, not bound
