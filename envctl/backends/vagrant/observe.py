"""What of an environment is there: domains and disks from libvirt, services from the machines themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from envctl.backends.atonce import all_at_once
from envctl.backends.vagrant import forwarding, libvirt, notes, systemd
from envctl.backends.vagrant.boxes import Boxes
from envctl.backends.vagrant.machines import Machines
from envctl.backends.vagrant.names import SHARED, Names
from envctl.backends.vagrant.room import Room
from envctl.errors import EnvctlError
from envctl.plan.state import Health, Observed, Status, UnitState


def observe(names: Names, boxes: Boxes, machines: Machines, *, images: bool) -> Observed:
    """The environment; with `images` also which builds are at hand."""
    there = libvirt.inventory(f"{names.prefix}_", names.likely)
    found = {
        machine: domain
        for name, domain in there.domains.items()
        if (machine := names.unit(name)) is not None
    }
    here, wanted = boxes.look() if images else ({}, boxes.current)
    asked = all_at_once(lambda item: tuple(_states(machines, *item, wanted)), sorted(found.items()))
    units = {state.name: state for machine in asked for state in machine}
    leftovers = [f"network {one}" for one in there.networks if one == names.network]
    leftovers += [f"folder {names.folder}"] if names.folder.is_dir() else []
    leftovers += [f"machine {one}" for one in found if one == SHARED and not found[one].units]
    return Observed(
        units,
        here,
        frozenset(volume for disk in there.disks if (volume := names.volume(disk)) is not None),
        tuple(sorted(leftovers)),
    )


def _states(
    machines: Machines, machine: str, domain: libvirt.Domain, wanted: Mapping[str, str]
) -> Iterator[UnitState]:
    """The units of a machine; `wanted` is by build what it has to be made of."""
    if not domain.units:
        if machine != SHARED:
            yield UnitState(machine, machine, Status.CREATED, id=domain.uuid)
        return
    states = [_noted(name, note, domain, wanted) for name, note in domain.units.items()]
    if not domain.running:
        yield from (
            _ended(state, domain.units[state.name], "its machine is off") for state in states
        )
        return
    reached = machines.reach(domain)
    lost = {
        unit
        for unit, note in domain.units.items()
        if not forwarding.are_carried(note["ports"], reached)
    }
    try:
        services = reached.services([Room(unit).service for unit in domain.units])
    except EnvctlError as error:
        yield from (replace(state, cause=error.brief) for state in states)
        return
    for state in states:
        note, service = domain.units[state.name], services.get(Room(state.name).service)
        if state.name in lost:
            yield replace(state, cause="its ports are not forwarded any more")
        elif service is not None:
            yield _answered(state, note, service)
        else:
            yield state


def _noted(
    name: str, note: Mapping[str, Any], domain: libvirt.Domain, wanted: Mapping[str, str]
) -> UnitState:
    """A unit as far as its machine's stamp tells."""
    build, image = str(note["build"]), str(note.get("image", ""))
    return UnitState(
        name,
        str(note["service"]),
        Status.EXITED,
        replica=int(note["replica"]),
        build=build,
        outdated=wanted.get(build or image, domain.made_of) != domain.made_of,
        image=image,
        run=str(note["run"]),
        id=f"{domain.uuid}/{name}" if note.get("shared") else domain.uuid,
    )


def _ended(state: UnitState, note: Mapping[str, Any], cause: str) -> UnitState:
    if notes.is_task(note):
        return replace(state, exit_code=note.get("ended"))
    return replace(state, cause=cause)


def _answered(state: UnitState, note: Mapping[str, Any], service: systemd.Service) -> UnitState:
    status, code = service.state
    if status is Status.CREATED and note.get("ended") is not None:
        # It ran before its machine was shut down.
        return _ended(state, note, "")
    running = status is Status.RUNNING
    probed = bool(notes.run_of(note).get("probe"))
    return replace(
        state,
        status=status,
        exit_code=code,
        restarts=service.restarts if status is Status.RESTARTING else 0,
        health=Health.STARTING if running and probed else Health.NONE,
        addresses=tuple(f"{_host(where)}:{port}" for where, port in note["ports"].items())
        if running
        else (),
    )


def _host(where: str) -> str:
    address = where.partition("/")[0]
    return "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - recognised, not bound
