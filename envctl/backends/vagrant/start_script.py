"""How a unit is started in a machine of a rendered folder, and waited for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from envctl.backends.common import probe
from envctl.backends.vagrant import container, guest_setup, output, process
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.unit_paths import Room
from envctl.plan.model import Kind, Unit

TEMPLATE: Final = "vagrant/start.sh.j2"
_PATIENCE: Final = 60
"""Seconds for a unit without a probe to run."""
_LINES: Final = 30
"""How many of its last lines are shown of a unit that does not start."""
_TASK: Final = 3600
_GRACE: Final = 5.0
"""Seconds a machine gets beyond a probe's own time-out."""


def context(unit: Unit, room: Room) -> Mapping[str, Any]:
    """What the template of the script is given."""
    asked = unit.run.probe
    patience = _TASK if unit.kind is Kind.TASK else _PATIENCE
    if asked is not None and unit.kind is not Kind.TASK:
        # As `up` does it.
        patience = ceil(asked.start_period + asked.retries * asked.interval)
    return {
        **FUNCTIONS,
        "name": unit.name,
        "service": room.service,
        "log": output.read(room, tail=_LINES, form="cat"),
        "settle": guest_setup.settle(unit, room),
        "task": unit.kind is Kind.TASK,
        "probe": _probe(unit, room),
        "patience": patience,
        "start_period": ceil(asked.start_period) if asked else 0,
        "pauses": (asked.pause(0.0), asked.interval) if asked else (0, 0),
    }


def _probe(unit: Unit, room: Room) -> str:
    """The shell command that asks once; "" if there is nothing to ask."""
    asked, own = unit.run.probe, unit.run.process
    if asked is None:
        return ""
    argv, timeout = probe.test(asked), asked.timeout + _GRACE
    if container.is_contained(unit):
        return container.command(argv, timeout=timeout)
    return process.command(
        argv,
        room,
        user=own.user,
        workdir=own.workdir,
        env=own.env,
        capabilities=own.capabilities,
        timeout=timeout,
    )
