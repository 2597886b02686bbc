"""Whether machines run on the processor itself (KVM) or are emulated, and who may use the device."""

from __future__ import annotations

import re
from typing import Final

from envctl.doctor.findings import Finding, Repair, RepairStage
from envctl.doctor.host import Host
from envctl.host.architectures import NATIVE
from envctl.progress import Progress, Report, Stage

DEVICE = "/dev/kvm"
GROUP = "kvm"
"""The group that libvirt's machines run in, as Debian, Ubuntu and Fedora have it."""

_EMULATED = "without it a machine is emulated, and boots in 20–60 s"
_WORK = f"access to {DEVICE}"


def give_access(host: Host, report: Report) -> None:
    """Give the device to the group, as udev does where it runs. A failure is told, and only costs time."""
    report(Progress(_WORK, Stage.STARTED))
    for argv in (("chgrp", GROUP, DEVICE), ("chmod", "660", DEVICE)):
        outcome = host.run(argv, timeout=10)
        if outcome.code != 0:
            report(Progress(_WORK, Stage.FAILED, outcome.text.strip()))
            return
    report(Progress(_WORK, Stage.DONE))


GIVE_ACCESS: Final = Repair(DEVICE, RepairStage.DEVICES, give_access)


def acceleration(host: Host) -> Finding:
    """Whether KVM can be used. The device alone proves nothing: it may be there and not work."""
    name = "KVM"
    if not _has_extensions(host):
        return Finding(
            name,
            ok=False,
            observed=f"plain emulation: the processor shows no {' or '.join(NATIVE.kvm_flags)} flag",
            remedy="switch virtualisation on in the firmware, or nested virtualisation in the host of this "
            f"machine; {_EMULATED}",
            needed=False,
        )
    if host.owner(DEVICE) is None:
        return Finding(
            name,
            ok=False,
            observed=f"plain emulation: there is no {DEVICE}",
            remedy=f"load the kernel's module kvm_intel or kvm_amd (kvm on other processors); {_EMULATED}",
            needed=False,
        )
    if not host.opens(DEVICE):
        return Finding(
            name,
            ok=False,
            observed=f"plain emulation: {DEVICE} cannot be opened",
            remedy=f"sudo usermod -aG {GROUP} $USER, then log in anew; {_EMULATED}",
            needed=False,
        )
    return Finding(name, ok=True, observed="machines run on the processor itself", needed=False)


def _has_extensions(host: Host) -> bool:
    flags = "|".join(NATIVE.kvm_flags)
    return bool(re.search(rf"^flags\s*:.*\b({flags})\b", host.read("proc/cpuinfo"), re.MULTILINE))


def access(host: Host) -> list[Finding]:
    """Whether machines, which are not root's, can open the device; nothing where there is none.

    Where only root can, libvirt as root takes it for usable, then finds that it is not, and examines
    QEMU anew at every single call, which takes seconds each; with KVM or without.
    """
    owner = host.owner(DEVICE)
    if owner is None:
        return []
    group, mode = owner
    shown = f"mode {mode:04o}"
    if mode & 0o006 == 0o006 or (mode & 0o060 == 0o060 and group == _number(host)):
        return [Finding(DEVICE, ok=True, observed=shown, needed=False)]
    return [
        Finding(
            DEVICE,
            ok=False,
            observed=f"{shown}, closed to the group {GROUP}: every call to libvirt takes seconds",
            remedy=f"sudo chgrp {GROUP} {DEVICE} && sudo chmod 660 {DEVICE}",
            needed=False,
            repairs=(GIVE_ACCESS,),
        )
    ]


def _number(host: Host) -> int | None:
    """The group's number, None while there is no such group."""
    match = re.search(rf"^{GROUP}:[^:]*:(\d+):", host.read("etc/group"), re.MULTILINE)
    return int(match[1]) if match else None
