"""Fixes what `doctor` reports: installs all packages first, then runs the repairs in order."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from envctl.doctor.findings import Finding, Repair
from envctl.doctor.host import Host
from envctl.errors import EnvctlError
from envctl.host.cache_folders import shared
from envctl.host.links import followed
from envctl.host.run_lock import exclusive
from envctl.plan.target import DEFAULT_BACKEND
from envctl.progress import Progress, Report, Stage

_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
_OPTIONS = ("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
_PATIENCE = 1200
"""The timeout of one call of apt, in seconds."""
_SHOWN = 15
"""How many lines of a program's output an error shows, from the end."""


def fix(
    findings: Sequence[Finding],
    report: Report,
    *,
    backend: str = DEFAULT_BACKEND,
    host: Host | None = None,
    locks: Path | None = None,
) -> None:
    """Fix everything that is fixable. If two processes do so at the same time, the work is done only once.

    `backend` is the checked backend, for the command in the hint.

    EnvctlError if a needed thing cannot be fixed because this user is not root, or because apt or the engine fails. It
    then contains the last lines of their output.
    """
    host = host or Host()
    fixable = [finding for finding in findings if finding.fixable]
    if not fixable:
        return
    if not host.is_root:
        _refuse(fixable, backend, report)
        return
    with exclusive(locks or shared("locks", environ=host.environ), "doctor", report):
        packages = dict.fromkeys(name for finding in fixable for name in finding.packages)
        if packages:
            install(tuple(packages), host, report)
        for repair in repairs(fixable):
            repair.run(host, report)


def repairs(findings: Iterable[Finding]) -> Sequence[Repair]:
    """The repairs of all findings, without duplicates, in order."""
    by_name = {repair.name: repair for finding in findings for repair in finding.repairs}
    return sorted(by_name.values(), key=lambda repair: (repair.stage, repair.name))


def _refuse(fixable: Sequence[Finding], backend: str, report: Report) -> None:
    """Without root: raise an error for needed things, and report a note for everything else."""
    commands = "\n".join(f"{finding.name}: {finding.remedy}" for finding in fixable)
    if any(finding.needed for finding in fixable):
        option = "" if backend == DEFAULT_BACKEND else f" --backend {backend}"
        raise EnvctlError(
            "this can only be fixed as root",
            details=commands,
            hint=f"sudo {followed(Path(sys.argv[0]))} doctor --fix{option}",
        )
    for finding in fixable:
        report(Progress(finding.name, Stage.NOTE, f"as root: {finding.remedy}"))


def install(packages: tuple[str, ...], host: Host, report: Report) -> None:
    """Install packages with apt, without recommended ones.

    A recommended package is AppArmor, without whose profiles containers would not start. The package lists are updated
    only if the installation fails, because they may be recent enough, and a broken third-party source need not matter.
    """
    work = f"install {' '.join(packages)}"
    report(Progress(work, Stage.STARTED))
    argv = ("apt-get", *_OPTIONS, "install", "-y", "-q", "--no-install-recommends", *packages)
    outcome = host.run(argv, env=_QUIET, timeout=_PATIENCE)
    if outcome.code != 0:
        report(Progress(work, Stage.WORKING, "updating the package lists"))
        update = host.run(("apt-get", *_OPTIONS, "update", "-q"), env=_QUIET, timeout=_PATIENCE)
        outcome = host.run(argv, env=_QUIET, timeout=_PATIENCE)
        if outcome.code != 0:
            report(Progress(work, Stage.FAILED))
            output = (update.text + outcome.text).splitlines()
            raise EnvctlError(
                f"apt-get could not install {', '.join(packages)}",
                details="\n".join(output[-_SHOWN:]),
                hint="check that `apt-get update` works: network, proxy, sources",
            )
    report(Progress(work, Stage.DONE))
