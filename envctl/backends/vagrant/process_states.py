"""What units' processes do in a machine that runs, or how they ended: its init's word and what was noted inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envctl.backends.vagrant import exit_records
from envctl.backends.vagrant.unit_paths import Room
from envctl.plan.state import Status

if TYPE_CHECKING:
    from envctl.backends.vagrant.exit_records import Ending
    from envctl.backends.vagrant.ssh import Machine
    from envctl.backends.vagrant.systemd import Service

_ALIVE = (Status.RUNNING, Status.STARTING, Status.UNKNOWN)
_OOM = "a process in it was killed for memory"


@dataclass(frozen=True, slots=True)
class Life:
    """What a unit's process does, its exit code if it has ended, why, and how often it was started again."""

    status: Status
    exit_code: int | None = None
    cause: str = ""
    restarts: int = 0


def lives(
    machine: Machine, units: Mapping[str, Mapping[str, Any]], *, patience: float | None = None
) -> Mapping[str, Life]:
    """Of these units, each with the note of it. EnvctlError if the machine does not answer, for so many seconds."""
    names = {unit: Room(unit).service for unit in units}
    services = machine.services(list(names.values()), patience=patience)
    found = {unit: services[name] for unit, name in names.items() if name in services}
    ending = _endings(machine, (unit for unit, one in found.items() if _asks(one)), patience)
    return {
        unit: life(units[unit], service, ending.get(unit, exit_records.Ending()))
        for unit, service in found.items()
    }


def _asks(service: Service) -> bool:
    """Whether there is more to know than its init tells: of a task that has completed there is not."""
    return service.state[0] not in _ALIVE and service.active != "active"


def _endings(
    machine: Machine, units: Iterable[str], patience: float | None
) -> Mapping[str, Ending]:
    asked = tuple(units)
    if not asked:
        return {}
    script = exit_records.ask(asked)
    told = machine.run(script) if patience is None else machine.run(script, timeout=patience)
    return exit_records.read(told)


def life(note: Mapping[str, Any], service: Service, ending: Ending) -> Life:
    """What the init says of a service, and what was noted when its process ended, taken together."""
    status, code = service.state
    if status in _ALIVE:
        return Life(status, cause="its process has just ended" if status is Status.UNKNOWN else "")
    if status is Status.RESTARTING:
        return Life(status, code, _OOM if ending.oom else "", service.restarts)
    if (stopped := note.get("stopped")) is not None and ending.text in {"", stopped}:
        return Life(Status.STOPPED, ending.exit_code)
    if ending.text:
        if ending.killed_for_memory:
            return Life(Status.OOM_KILLED, ending.exit_code)
        return Life(Status.EXITED, ending.exit_code, _OOM if ending.oom else "")
    if status is Status.EXITED:
        return Life(status, code)
    if note.get("ended") is not None:
        # It ran before its machine was shut down.
        return Life(Status.EXITED, note["ended"])
    if ending.settled:
        # It was told to run, and is about to.
        return Life(Status.CREATED)
    return Life(Status.EXITED, cause="its machine was restarted since then")
