"""The states of units' processes in a running machine, from systemd and the exit records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from envctl.backends.vagrant.unit import exit_records
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.lazy_dataclass import dataclass
from envctl.plan.state import Status

if TYPE_CHECKING:
    from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
    from envctl.backends.vagrant.ssh.systemd_client import Service
    from envctl.backends.vagrant.unit.exit_records import ExitRecord

_ALIVE = (Status.RUNNING, Status.STARTING, Status.UNKNOWN)
_OOM = "a process in it was killed: out of memory"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """The state of a unit's process; after its exit, the exit code and the cause; and the number of restarts.

    `being_stopped`: it is running, but systemd was asked to stop it.
    """

    status: Status
    exit_code: int | None = None
    cause: str = ""
    restarts: int = 0
    being_stopped: bool = False


def of_units(
    machine: SshMachine, units: Mapping[str, Mapping[str, Any]], *, patience: float | None = None
) -> Mapping[str, ProcessState]:
    """The states of units, given by their notes. EnvctlError if the machine does not answer within `patience` seconds."""
    names = {unit: UnitPaths(unit).service for unit in units}
    services = machine.services(list(names.values()), patience=patience)
    services_by_unit = {unit: services[name] for unit, name in names.items() if name in services}
    records = _exit_records(
        machine,
        (unit for unit, service in services_by_unit.items() if _needs_record(service)),
        patience,
    )
    return {
        unit: combine(units[unit], service, records.get(unit, exit_records.ExitRecord()))
        for unit, service in services_by_unit.items()
    }


def _needs_record(service: Service) -> bool:
    """Whether systemd's information is not enough. It is enough for running processes and completed tasks."""
    return service.state[0] not in _ALIVE and service.active != "active"


def _exit_records(
    machine: SshMachine, units: Iterable[str], patience: float | None
) -> Mapping[str, ExitRecord]:
    names = tuple(units)
    if not names:
        return {}
    script = exit_records.query_script(names)
    output = machine.run(script) if patience is None else machine.run(script, timeout=patience)
    return exit_records.parse_records(output)


def combine(note: Mapping[str, Any], service: Service, record: ExitRecord) -> ProcessState:
    """The state of a process, from systemd's information about its service and the record of its exit."""
    status, code = service.state
    if status in _ALIVE:
        cause = "its process has just exited" if status is Status.UNKNOWN else ""
        return ProcessState(status, cause=cause, being_stopped=service.is_being_stopped)
    if status is Status.RESTARTING:
        return ProcessState(status, code, _OOM if record.oom else "", service.restarts)
    if (stopped := note.get("stopped")) is not None and record.text in {"", stopped}:
        return ProcessState(Status.STOPPED, record.exit_code)
    if record.text:
        if record.killed_for_memory:
            return ProcessState(Status.OOM_KILLED, record.exit_code)
        return ProcessState(Status.EXITED, record.exit_code, _OOM if record.oom else "")
    if status is Status.EXITED:
        return ProcessState(status, code)
    if note.get("ended") is not None:
        # It was running before its machine was shut down, which recorded its exit code.
        return ProcessState(Status.EXITED, note["ended"])
    if record.started:
        # It was started, but is not running yet.
        return ProcessState(Status.CREATED)
    return ProcessState(Status.EXITED, cause="its machine was restarted")
