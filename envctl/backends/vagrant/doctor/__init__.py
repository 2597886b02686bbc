"""What `envctl doctor` looks at for virtual machines, and how it fixes it."""

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
    """What machines need here, and what `engine` finds of the engine that makes the images they start from.

    Where there can be no machines, that is all there is to say: nothing that is installed would help.
    """
    if why_no_machines(host.system, host.processor):
        return (no_machines(host),)
    return (*machine_findings(host), *map(_for_images, engine(host)))


def _for_images(finding: Finding) -> Finding:
    """A finding about the engine, with what the engine is for where there are machines."""
    if finding.ok or not finding.needed:
        return finding
    remedy = f"{finding.remedy}\nmachines are made from the images that it builds"
    return replace(finding, remedy=remedy)
