"""The observed state: domains, disks and networks from libvirt, services from the machines themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from envctl.backends.common import stale_mounts
from envctl.backends.common.parallel import all_at_once
from envctl.backends.vagrant import layout, libvirt
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.machine import machine_health, machine_stamp
from envctl.backends.vagrant.machine.domain import CRASHED, Domain
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.names import DISK, SHARED, MachineNames
from envctl.backends.vagrant.ssh import port_forwards
from envctl.backends.vagrant.unit import process_states
from envctl.errors import EnvctlError
from envctl.plan.model import Plan
from envctl.plan.scope import FoundEnvironment, Scope
from envctl.plan.state import BEING_STOPPED, Health, Observed, Status, UnitState

_PREFIX: Final = re.compile(r"([a-z0-9-]+)-([0-9a-f]{8})-([a-z0-9][a-z0-9-]*)")
PATIENCE: Final = 8.0
"""How many seconds to wait for a machine that is only observed."""
_NO_NEWS: Final = frozenset({"", "user", "unknown"})
"""Reasons for a machine's state that do not help the user."""


def observe(
    names: MachineNames, store: BoxStore, machines: Machines, *, plan: Plan | None
) -> Observed:
    """The environment; with a plan, also the existing boxes and the drift of machines."""
    images = plan is not None
    inventory = libvirt.inventory(f"{names.prefix}_", names.likely)
    domains = {
        machine: domain
        for name, domain in inventory.domains.items()
        if (machine := names.unit(name)) is not None
    }
    build_steps, source_ids = store.available() if images else ({}, store.pinned)
    states = all_at_once(
        lambda item: tuple(_states(machines, *item, source_ids)), sorted(domains.items())
    )
    units = {state.name: state for machine in states for state in machine}
    if plan is not None:
        units = _closer(machines, plan, domains, units)
    leftovers = [f"network {name}" for name in inventory.networks if name == names.network]
    leftovers += [f"folder {names.folder}"] if names.folder.is_dir() else []
    leftovers += [
        f"machine {name}"
        for name, domain in domains.items()
        if not domain.units and (name == SHARED or domain.one_offs)
    ]
    return Observed(
        units,
        build_steps,
        frozenset(volume for disk in inventory.disks if (volume := names.volume(disk)) is not None),
        tuple(sorted(leftovers)),
    )


def environments(names: MachineNames) -> Sequence[str]:
    """The names of the checkout's environments that have machines."""
    candidates = (
        names.environment(name) for name in libvirt.virsh("list", "--all", "--name").split()
    )
    return sorted({name for name in candidates if name is not None})


def everything() -> Sequence[FoundEnvironment]:
    """All environments on this host, from the stamps of machines and the names of other resources."""
    inventory = libvirt.inventory("")
    scopes: dict[str, Scope] = {}
    units: dict[str, set[str]] = {}
    volumes: dict[str, set[str]] = {}
    running: dict[str, set[str]] = {}
    for name in (*inventory.domains, *inventory.disks, *inventory.networks):
        prefix, _, suffix = name.partition("_")
        scope = scope_of(prefix, inventory.domains.get(name))
        if scope is None or (name in inventory.disks and not suffix.endswith(DISK)):
            continue
        if scope.project or prefix not in scopes:
            scopes[prefix] = scope
        if name in inventory.domains:
            domain = inventory.domains[name]
            units.setdefault(prefix, set()).update(domain.units or [suffix])
            if domain.running:
                running.setdefault(prefix, set()).update(domain.units or [suffix])
        elif name in inventory.disks:
            volume = MachineNames(scope).volume(name)
            volumes.setdefault(prefix, set()).update([volume] if volume else [])
    return [
        FoundEnvironment(
            scope, "vagrant", *(tuple(sorted(of.get(key, ()))) for of in (units, volumes, running))
        )
        for key, scope in sorted(scopes.items())
    ]


def scope_of(prefix: str, domain: Domain | None) -> Scope | None:
    """The scope of a resource with this prefix; None if it does not belong to envctl."""
    named = _PREFIX.fullmatch(prefix)
    if named is None:
        return None
    noted = (domain.stamp or {}).get("scope") if domain else None
    if isinstance(noted, dict) and MachineNames(scope := Scope(**noted)).prefix == prefix:
        return scope
    folder, identity, environment = named.groups()
    # Without a machine, or with one of an earlier version, only the folder's name is known.
    return Scope("", identity, environment, "", folder)


def _states(
    machines: Machines, machine: str, domain: Domain, source_ids: Mapping[str, str]
) -> Iterator[UnitState]:
    """The units of a machine; `source_ids` has, by build, the required source."""
    if not domain.units:
        if machine != SHARED and not domain.one_offs:
            yield UnitState(machine, machine, Status.CREATED, id=domain.uuid, unfinished=True)
        return
    states = [_noted(name, note, domain, source_ids) for name, note in domain.units.items()]
    if not domain.running:
        yield from (_not_running(state, domain.units[state.name], domain) for state in states)
        return
    connection = machines.ssh_machine(domain)
    try:
        process_by_unit = process_states.of_units(connection, domain.units, patience=PATIENCE)
    except EnvctlError as error:
        yield from (
            replace(state, status=Status.UNREACHABLE, cause=error.brief) for state in states
        )
        return
    for state in states:
        note = domain.units[state.name]
        if state.name in process_by_unit:
            yield _living(
                state,
                note,
                process_by_unit[state.name],
                port_forwards.missing(note["ports"], connection),
                shutting_down=domain.shutting_down,
            )
        else:
            yield replace(
                state, status=Status.UNKNOWN, cause="systemd in its machine does not know it"
            )


def _closer(
    machines: Machines,
    plan: Plan,
    domains: Mapping[str, Domain],
    states: Mapping[str, UnitState],
) -> dict[str, UnitState]:
    """The states, with drift of the machine for running units."""
    names = machine_health.names_by_address(domains.values())
    mounts = {
        machine.name: machine.mounts for unit in plan.units for machine in [layout.machine_of(unit)]
    }

    def look(item: tuple[str, Domain]) -> Iterator[UnitState]:
        name, domain = item
        running = [
            states[unit] for unit in domain.units if _runs(states.get(unit)) and name in mounts
        ]
        if not running:
            return
        try:
            health = machine_health.check(machines.ssh_machine(domain), mounts[name])
        except EnvctlError as error:
            reason = f"its machine's clock, names and mounts: {error.brief}"
            yield from (replace(state, unchecked=(reason,)) for state in running)
            return
        drift = machine_health.drift(
            health, mounts[name], machine_health.names_inside(domain, names)
        )
        unchecked = tuple(stale_mounts.unchecked(mounts[name], health.mounts))
        drifts = tuple(drift)
        yield from (replace(state, drift=drifts, unchecked=unchecked) for state in running)

    checked = all_at_once(lambda item: tuple(look(item)), sorted(domains.items()))
    return {**states, **{state.name: state for machine in checked for state in machine}}


def _runs(state: UnitState | None) -> bool:
    return state is not None and state.status is Status.RUNNING


def _noted(
    name: str, note: Mapping[str, Any], domain: Domain, source_ids: Mapping[str, str]
) -> UnitState:
    """The state of a unit according to its machine's stamp."""
    build, image = str(note["build"]), str(note.get("image", ""))
    return UnitState(
        name,
        str(note["service"]),
        Status.UNKNOWN,
        replica=int(note["replica"]),
        build=build,
        outdated=source_ids.get(build or image, domain.source_id) != domain.source_id,
        image=image,
        run=str(note["run"]),
        id=f"{domain.uuid}/{name}" if note.get("shared") else domain.uuid,
        hooks=tuple(note.get("hooks", ())),
    )


def _not_running(state: UnitState, note: Mapping[str, Any], domain: Domain) -> UnitState:
    """The state of a unit whose machine is not running."""
    reason = f" ({domain.reason})" if domain.reason not in _NO_NEWS else ""
    if domain.paused:
        return replace(state, status=Status.PAUSED, cause=f"its machine is {domain.state}{reason}")
    if domain.off or domain.state == CRASHED:
        if note.get("stopped") is not None:
            return replace(state, status=Status.STOPPED)
        if note.get("ended") is not None:
            return replace(state, status=Status.EXITED, exit_code=note["ended"])
        state_text = "has crashed" if "crashed" in (domain.state, domain.reason) else "is off"
        # It is unknown whether a task completed before the machine went off. A service is simply not running.
        status = Status.UNKNOWN if machine_stamp.is_task(note) else Status.EXITED
        return replace(state, status=status, cause=f"its machine {state_text}")
    return replace(state, status=Status.UNREACHABLE, cause=f"its machine is {domain.state}{reason}")


def _living(
    state: UnitState,
    note: Mapping[str, Any],
    process: process_states.ProcessState,
    missing_ports: Sequence[str],
    *,
    shutting_down: bool,
) -> UnitState:
    running = process.status is Status.RUNNING
    ends = running and (shutting_down or process.being_stopped)
    lost = _lost_text([note["ports"][key] for key in missing_ports]) if running else ""
    probed = bool(machine_stamp.run_of(note).get("probe"))
    ports = {key: port for key, port in note["ports"].items() if key not in missing_ports}
    return replace(
        state,
        status=process.status,
        exit_code=process.exit_code,
        cause=process.cause,
        restarts=process.restarts,
        health=Health.STARTING if running and probed else Health.NONE,
        addresses=tuple(f"{_host(where)}:{port}" for where, port in ports.items())
        if running
        else (),
        published=_published(ports) if running else {},
        defect=BEING_STOPPED if ends else lost,
        needs_restart=ends,
    )


def _published(ports: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """The addresses on this host by port of the unit. Keys of `ports` are as in a machine's stamp: 127.0.0.1/8000."""
    published: dict[str, tuple[str, ...]] = {}
    for where, port in ports.items():
        key = f"{where.rpartition('/')[2]}/tcp"
        published[key] = (*published.get(key, ()), f"{_host(where)}:{port}")
    return published


def _lost_text(ports: Sequence[int]) -> str:
    if not ports:
        return ""
    if len(ports) == 1:
        return f"port {ports[0]} is not forwarded"
    return f"ports {', '.join(map(str, ports))} are not forwarded"


def _host(where: str) -> str:
    address = where.partition("/")[0]
    return "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - recognised, not bound
