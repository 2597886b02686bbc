"""The commands that install packages, as each distribution has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from envctl.doctor.host import Host

PackageNames: TypeAlias = Mapping[str, Mapping[str, str]]
"""What Debian's packages are called elsewhere, by a distribution's ID or ID_LIKE; "" where there is none, though a relative has it."""

_COMMANDS: Final[Mapping[str, str]] = {
    "fedora": "sudo dnf install",
    "suse": "sudo zypper install",
    "arch": "sudo pacman -S",
    "alpine": "sudo apk add",
}
"""How packages are installed where there is no apt, by a distribution's ID or ID_LIKE."""
_NAMES: Final[PackageNames] = {
    "dnsmasq-base": dict.fromkeys(_COMMANDS, "dnsmasq"),
    "e2fsprogs": dict.fromkeys(_COMMANDS, "e2fsprogs"),
    "iptables": dict.fromkeys(_COMMANDS, "iptables"),
    "mmdebstrap": {"fedora": "mmdebstrap"},
    "openssh-client": {
        "fedora": "openssh-clients",
        "suse": "openssh-clients",
        "arch": "openssh",
        "alpine": "openssh-client",
    },
    "qemu-utils": {
        "fedora": "qemu-img",
        "suse": "qemu-img",
        "arch": "qemu-img",
        "alpine": "qemu-img",
    },
}
"""Packages that no backend's engine is in."""


def apt_command(packages: Sequence[str]) -> str:
    """What a user types to install packages of Debian."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def install_command(host: Host, packages: Sequence[str], names: PackageNames) -> str:
    """What a user of this host types to install what these packages of Debian are there; "" if that is not known.

    `names` are those of the backend's own packages.
    """
    if host.has_apt:
        return apt_command(packages)
    like = host.distributions if host.system == "Linux" else ()
    family = next((name for name in (*like, *map(_parent, like)) if name in _COMMANDS), "")
    known = {**_NAMES, **names}
    called = [
        known.get(package, {}).get(family, "")
        for package in packages
        if all(known.get(package, {}).get(other) != "" for other in like)
    ]
    if not family or len(called) < len(packages) or not all(called):
        return ""
    return f"{_COMMANDS[family]} {' '.join(dict.fromkeys(called))}"


def _parent(name: str) -> str:
    """The family of a distribution that is called after it: "opensuse-leap"."""
    return "suse" if "suse" in name or name.startswith("sle") else ""
