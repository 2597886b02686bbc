"""The checks and repairs of `envctl doctor` for virtual machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from envctl.backends import image_engine_findings
from envctl.backends.vagrant.doctor.checks import machine_findings, no_machines
from envctl.doctor.findings import Finding
from envctl.doctor.host import Host
from envctl.host.architectures import why_no_machines


def findings(
    host: Host, *, engine: Callable[[Host], Sequence[Finding]] = image_engine_findings
) -> tuple[Finding, ...]:
    """The requirements of machines on this host, and the findings of `engine` about the engine for their images.

    If this host cannot run machines, that is the only finding, because installing something would not help.
    """
    if why_no_machines(host.system, host.processor):
        return (no_machines(host),)
    return (*machine_findings(host), *map(_for_images, engine(host)))


def _for_images(finding: Finding) -> Finding:
    """A finding about the engine, explaining why machines need it."""
    if finding.ok or not finding.needed:
        return finding
    remedy = f"{finding.remedy}\nmachines are made from its images"
    return replace(finding, remedy=remedy)
