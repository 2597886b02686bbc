"""Hosts that machines run on: all that depends on the processor, by architecture."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

SYSTEM: Final = "Linux"
_SAME: Final = {"arm64": "aarch64", "amd64": "x86_64"}
"""What systems other than Linux call a processor's architecture."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What machines of one architecture are made and run with.

    `platform` is Docker's word for it; `kernel` is Debian's package of the kernel; `cpu` QEMU's model of a processor where it is emulated; `emulator` QEMU's
    program, in the package `emulator_package`; `kvm_flags` are those in /proc/cpuinfo of which one says that KVM works.
    """

    platform: str
    kernel: str
    cpu: str
    emulator: str
    emulator_package: str
    kvm_flags: tuple[str, ...]


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "x86_64": Architecture(
        platform="linux/amd64",
        kernel="linux-image-cloud-amd64",
        cpu="qemu64",
        emulator="qemu-system-x86_64",
        emulator_package="qemu-system-x86",
        kvm_flags=("vmx", "svm"),
    )
}
"""By the name that Linux has for a processor's architecture. What is not here has no machines."""
NATIVE: Final = ARCHITECTURES["x86_64"]
"""What all machines are made for."""


def processor(name: str) -> str:
    """Linux' name of an architecture that a system calls so: "x86_64", "aarch64"."""
    return _SAME.get(name.lower(), name.lower())


def why_no_machines(system: str, processor: str) -> str:
    """Why there can be no machines on such a host; "" if there can."""
    if system == SYSTEM and processor in ARCHITECTURES:
        return ""
    names = " or ".join(ARCHITECTURES)
    return f"machines need {SYSTEM} on {names}, and this is {system} on {processor}"


def require() -> None:
    """EnvctlError if this host can have no machines."""
    if reason := why_no_machines(platform.system(), processor(platform.machine())):
        raise EnvctlError(
            reason,
            hint="run envctl on such a host, or the environment on docker: containers run here",
        )
