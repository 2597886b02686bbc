"""The outcome of one check."""

from __future__ import annotations

from enum import StrEnum

from envctl.lazy_dataclass import dataclass


class Repair(StrEnum):
    """What can be mended once packages are installed, in the order in which it is done."""

    KVM = "kvm"
    """Give the group of virtual machines access to /dev/kvm."""
    DOCKER = "docker"
    """Start the Docker engine."""
    LIBVIRT = "libvirt"
    """Start libvirt's daemons."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and, where it is not as it should be, what to do.

    Without what is `needed` envctl does not work; anything else is advice. `packages` are the
    distribution's that mend it; `repairs` have to be done as well.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True
    packages: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()

    @property
    def fixable(self) -> bool:
        """Whether `doctor --fix` knows how to mend it on this system."""
        return not self.ok and bool(self.packages or self.repairs)
