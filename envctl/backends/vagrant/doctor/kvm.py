"""Checks whether machines run on the processor itself (KVM) or are emulated, and who may use the device."""

from __future__ import annotations

import re
from typing import Final

from envctl.doctor.findings import Finding, Repair, RepairStage
from envctl.doctor.host import Host
from envctl.host.architectures import NATIVE
from envctl.progress import Progress, Report, Stage

DEVICE = "/dev/kvm"
GROUP = "kvm"
"""The group that libvirt's machines run as on Debian, Ubuntu and Fedora."""

_EMULATED = "without KVM, a machine is emulated and boots in 20–60 s"
_WORK = f"access to {DEVICE}"


def give_access(host: Host, report: Report) -> None:
    """Give the group access to the device, as udev does. A failure is only reported, because machines work without KVM."""
    report(Progress(_WORK, Stage.STARTED))
    for argv in (("chgrp", GROUP, DEVICE), ("chmod", "660", DEVICE)):
        outcome = host.run(argv, timeout=10)
        if outcome.code != 0:
            report(Progress(_WORK, Stage.FAILED, outcome.text.strip()))
            return
    report(Progress(_WORK, Stage.DONE))


GIVE_ACCESS: Final = Repair(DEVICE, RepairStage.DEVICES, give_access)


def acceleration(host: Host) -> Finding:
    """Whether KVM works. The device alone proves nothing: it may exist without working."""
    flags = NATIVE.kvm_flags
    if not re.search(
        rf"^flags\s*:.*\b({'|'.join(flags)})\b", host.read("proc/cpuinfo"), re.MULTILINE
    ):
        reason = f"the processor has no {' or '.join(flags)} flag"
        remedy = "enable virtualisation in the firmware, or nested virtualisation on this machine's own host"
    elif host.owner(DEVICE) is None:
        reason = f"{DEVICE} does not exist"
        remedy = "load the kernel module kvm_intel or kvm_amd (kvm on other processors)"
    elif not host.opens(DEVICE):
        reason = f"{DEVICE} cannot be opened"
        remedy = f"sudo usermod -aG {GROUP} $USER, then log in again"
    else:
        return Finding.passed("KVM", "machines run on the processor itself", needed=False)
    return Finding.failed("KVM", f"emulation: {reason}", f"{remedy}; {_EMULATED}", needed=False)


def access(host: Host) -> list[Finding]:
    """Whether machines, which do not run as root, may open the device; empty if the device does not exist.

    If only root may, libvirt first considers the device usable, then notices that it is not, and examines QEMU again at
    every call. That takes seconds, with or without KVM.
    """
    owner = host.owner(DEVICE)
    if owner is None:
        return []
    group, mode = owner
    if mode & 0o006 == 0o006 or (mode & 0o060 == 0o060 and group == _group_id(host)):
        return [Finding.passed(DEVICE, f"mode {mode:04o}", needed=False)]
    observed = (
        f"mode {mode:04o}, no access for the group {GROUP}: every call to libvirt takes seconds"
    )
    remedy = f"sudo chgrp {GROUP} {DEVICE} && sudo chmod 660 {DEVICE}"
    return [Finding.failed(DEVICE, observed, remedy, needed=False, repairs=(GIVE_ACCESS,))]


def _group_id(host: Host) -> int | None:
    """The id of the group; None if it does not exist."""
    match = re.search(rf"^{GROUP}:[^:]*:(\d+):", host.read("etc/group"), re.MULTILINE)
    return int(match[1]) if match else None
