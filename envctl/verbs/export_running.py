"""Exports of what runs: they describe machines, not keys of the spec, so their report is empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from envctl.conversion.conversion_report import ConversionReport
from envctl.exports.export_format import Export, ExportedFiles
from envctl.lazy_dataclass import dataclass
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.ssh_hosts import config_text, ssh_hosts


@dataclass(frozen=True, slots=True)
class RunningFormat:
    """A format that is written from the running units of a target. `next_commands` is for people."""

    name: str
    write: Callable[[Project, Target], ExportedFiles]
    next_commands: tuple[str, ...] = ()
    has_overlays: bool = False
    takes_service: bool = False


def export_running(project: Project, running_format: RunningFormat, target: Target) -> Export:
    """Export what runs. EnvctlError if nothing does."""
    return Export(running_format.write(project, target), ConversionReport())


def _ssh_config(project: Project, target: Target) -> ExportedFiles:
    text = config_text(ssh_hosts(project, target)) + "\n"
    return ExportedFiles({"ssh_config": text.encode("utf-8", "surrogateescape")})


RUNNING_FORMATS: Final[Mapping[str, RunningFormat]] = {
    "ssh-config": RunningFormat(
        "ssh-config", _ssh_config, ("ssh -F ssh_config HOST   # log in, in that folder",)
    )
}
"""The formats, by name."""
