"""The commands that install packages, for each distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from envctl.doctor.host import Host

PackageNames: TypeAlias = Mapping[str, Mapping[str, str]]
"""The names of Debian's packages in other distributions, by ID or ID_LIKE; "" if the distribution has no such package.
"""

_COMMANDS: Final[Mapping[str, str]] = {
    "fedora": "sudo dnf install",
    "suse": "sudo zypper install",
    "arch": "sudo pacman -S",
    "alpine": "sudo apk add",
}
"""The install commands of distributions without apt, by ID or ID_LIKE."""
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
"""Packages that do not belong to a backend's engine."""


def apt_command(packages: Sequence[str]) -> str:
    """The command that installs packages of Debian."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def install_command(host: Host, packages: Sequence[str], names: PackageNames) -> str:
    """The command that installs the equivalents of these Debian packages on this host; "" if unknown.

    `names` are those of the backend's packages.
    """
    if host.has_apt:
        return apt_command(packages)
    like = host.distributions if host.system == "Linux" else ()
    family = next((name for name in (*like, *map(_parent, like)) if name in _COMMANDS), "")
    known = {**_NAMES, **names}
    translated = [
        known.get(package, {}).get(family, "")
        for package in packages
        if all(known.get(package, {}).get(other) != "" for other in like)
    ]
    if not family or len(translated) < len(packages) or not all(translated):
        return ""
    return f"{_COMMANDS[family]} {' '.join(dict.fromkeys(translated))}"


def _parent(name: str) -> str:
    """The family in the name of a distribution, such as "opensuse-leap"; "" if it contains none."""
    return "suse" if "suse" in name or name.startswith("sle") else ""
