"""The hosts that machines run on, and everything that depends on the processor's architecture."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

SYSTEM: Final = "Linux"
_SAME: Final = {"arm64": "aarch64", "amd64": "x86_64"}
"""Other systems' names for processor architectures."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What machines of one architecture are created and run with.

    `platform` is Docker's name; `kernel` is Debian's kernel package; `cpu` is QEMU's CPU model for emulation;
    `emulator` is QEMU's program, from the package `emulator_package`; `kvm_flags` are flags in /proc/cpuinfo, of which
    KVM needs one.
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
"""By Linux's name of the architecture. Machines run on no others."""
NATIVE: Final = ARCHITECTURES["x86_64"]
"""The architecture of all machines."""


def processor(name: str) -> str:
    """Linux's name of an architecture: "x86_64", "aarch64"."""
    return _SAME.get(name.lower(), name.lower())


def why_no_machines(system: str, processor: str) -> str:
    """Why machines cannot run on such a host; "" if they can."""
    if system == SYSTEM and processor in ARCHITECTURES:
        return ""
    names = " or ".join(ARCHITECTURES)
    return f"machines need {SYSTEM} on {names}; this is {system} on {processor}"


def require() -> None:
    """EnvctlError if machines cannot run on this host."""
    if reason := why_no_machines(platform.system(), processor(platform.machine())):
        raise EnvctlError(
            reason,
            hint="run envctl on such a host, or use the docker backend here",
        )
