"""The script that starts a unit in a machine of a rendered folder and waits until it is ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from envctl.backends.common import probe
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.unit import container, guest_setup, log_scripts, process_scripts
from envctl.backends.vagrant.unit.secret_exports import secret_exports
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.digest import plain
from envctl.plan.model import Kind, Unit

TEMPLATE: Final = "vagrant/start.sh.j2"
_PATIENCE: Final = 60
"""How many seconds a unit without a health check must run."""
_LINES: Final = 30
"""How many log lines to show if a unit does not start."""
_TASK: Final = 3600
_GRACE: Final = 5.0
"""How many seconds are added to a health check's timeout."""


def context(unit: Unit, paths: UnitPaths) -> Mapping[str, Any]:
    """The template values of the script."""
    unit_probe = unit.run.probe
    patience = _TASK if unit.kind is Kind.TASK else _PATIENCE
    if unit_probe is not None and unit.kind is not Kind.TASK:
        # The same time as `up` waits.
        patience = ceil(unit_probe.start_period + unit_probe.retries * unit_probe.interval)
    return {
        **FUNCTIONS,
        "name": unit.name,
        "service": paths.service,
        "log": log_scripts.read_command(paths, log_scripts.LogRange(_LINES), form="cat"),
        "settle": guest_setup.setup_script(unit, paths),
        "task": unit.kind is Kind.TASK,
        "probe": _probe(unit, paths),
        "patience": patience,
        "start_period": ceil(unit_probe.start_period) if unit_probe else 0,
        "pauses": (unit_probe.pause(0.0), unit_probe.interval) if unit_probe else (0, 0),
    }


def _probe(unit: Unit, paths: UnitPaths) -> str:
    """The shell command that runs the health check once; "" without one."""
    unit_probe, unit_process = unit.run.probe, unit.run.process
    if unit_probe is None:
        return ""
    argv, timeout = probe.test(unit_probe), unit_probe.timeout + _GRACE
    exports = secret_exports(plain(unit.run), paths)
    if container.runs_in_container(unit):
        names = sorted(unit_process.secret_env)
        return container.command(argv, timeout=timeout, secret_exports=exports, secret_names=names)
    return process_scripts.command(
        argv,
        paths,
        user=unit_process.user,
        workdir=unit_process.workdir,
        env=unit_process.env,
        capabilities=unit_process.capabilities,
        timeout=timeout,
        secret_exports=exports,
    )
