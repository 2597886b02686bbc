"""Runs a unit's health check: a request over SSH if that is enough, otherwise a command in the unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from envctl.backends.base import Execution
from envctl.backends.common import probe
from envctl.backends.vagrant.machine.machine_lookup import Machines
from envctl.backends.vagrant.ssh import http_probe
from envctl.plan.model import Probe

_GRACE: Final = 5.0
"""How many seconds are added to a check's timeout for the connection to the machine."""


def run_probe(
    unit: str, declared: Probe, machines: Machines, *, execute: Callable[[str, Execution], int]
) -> tuple[bool, str]:
    """Whether the unit is healthy, and the check's output; `execute` runs a command in the unit."""
    if http_probe.is_reachable(declared) and (domain := machines.domain_of(unit)):
        return http_probe.ask(declared, machines.ssh_machine(domain))
    return probe.ask(declared, lambda execution: execute(unit, execution), grace=_GRACE)
