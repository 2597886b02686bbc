"""Mending what the doctor found: packages first, all at once, then access to devices, then the daemons."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from envctl.doctor import kvm, libvirt
from envctl.doctor.engine import Engine, look
from envctl.doctor.finding import Finding, Repair
from envctl.doctor.host import Host
from envctl.doctor.start import start
from envctl.errors import EnvctlError
from envctl.host.cache_folders import shared
from envctl.host.links import followed
from envctl.host.run_lock import exclusive
from envctl.progress import Progress, Report, Stage

_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
_OPTIONS = ("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
_PATIENCE = 1200
"""Seconds for one call of apt."""
_SHOWN = 15
"""How many of a program's last lines an error shows."""


def fix(
    findings: Sequence[Finding],
    report: Report,
    *,
    backend: str = "docker",
    host: Host | None = None,
    ask: Callable[[], Engine] | None = None,
    locks: Path | None = None,
) -> None:
    """Mend all that is fixable; does nothing if nothing is. Two at once do the work once.

    `backend` is the one that was examined, for the command that a user is told.

    EnvctlError if something needed cannot be mended: for want of root, or because apt or the engine
    fails, with the last lines of what it said.
    """
    host = host or Host()
    wanted = [finding for finding in findings if finding.fixable]
    if not wanted:
        return
    if not host.is_root:
        _refuse(wanted, backend, report)
        return
    with exclusive(locks or shared("locks", environ=host.environ), "doctor", report):
        packages = dict.fromkeys(name for finding in wanted for name in finding.packages)
        if packages:
            install(tuple(packages), host, report)
        for repair in Repair:
            if any(repair in finding.repairs for finding in wanted):
                _repair(repair, host, ask or (lambda: look(host.environ)), report)


def _repair(repair: Repair, host: Host, ask: Callable[[], Engine], report: Report) -> None:
    match repair:
        case Repair.KVM:
            kvm.give_access(host, report)
        case Repair.DOCKER:
            start(host, ask, report)
        case Repair.LIBVIRT:
            libvirt.start(host, report)


def _refuse(wanted: Sequence[Finding], backend: str, report: Report) -> None:
    """Without root: an error for what is needed, a word about what is not."""
    commands = "\n".join(f"{finding.name}: {finding.remedy}" for finding in wanted)
    if any(finding.needed for finding in wanted):
        option = "" if backend == "docker" else f" --backend {backend}"
        raise EnvctlError(
            "mending this takes root",
            details=commands,
            hint=f"sudo {followed(Path(sys.argv[0]))} doctor --fix{option}",
        )
    for finding in wanted:
        report(Progress(finding.name, Stage.NOTE, f"as root: {finding.remedy}"))


def install(packages: tuple[str, ...], host: Host, report: Report) -> None:
    """Install packages with apt, without what they merely recommend.

    Recommended is AppArmor, for one, which keeps containers from starting where it cannot load its
    profiles. The lists are fetched only if it does not work without: apt's own lists may be recent,
    and a third party's broken source need not stop us.
    """
    work = f"install {' '.join(packages)}"
    report(Progress(work, Stage.STARTED))
    argv = ("apt-get", *_OPTIONS, "install", "-y", "-q", "--no-install-recommends", *packages)
    outcome = host.run(argv, env=_QUIET, timeout=_PATIENCE)
    if outcome.code != 0:
        report(Progress(work, Stage.WORKING, "fetching the package lists"))
        update = host.run(("apt-get", *_OPTIONS, "update", "-q"), env=_QUIET, timeout=_PATIENCE)
        outcome = host.run(argv, env=_QUIET, timeout=_PATIENCE)
        if outcome.code != 0:
            report(Progress(work, Stage.FAILED))
            said = (update.text + outcome.text).splitlines()
            raise EnvctlError(
                f"apt-get could not install {', '.join(packages)}",
                details="\n".join(said[-_SHOWN:]),
                hint="see whether `apt-get update` works: network, proxy, sources",
            )
    report(Progress(work, Stage.DONE))
