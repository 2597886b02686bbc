"""The commands that install packages, as each distribution has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from envctl.doctor.host import Host

_COMMANDS: Final[Mapping[str, str]] = {
    "fedora": "sudo dnf install",
    "suse": "sudo zypper install",
    "arch": "sudo pacman -S",
    "alpine": "sudo apk add",
}
"""How packages are installed where there is no apt, by a distribution's ID or ID_LIKE."""
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "docker.io": {"fedora": "moby-engine", "suse": "docker", "arch": "docker", "alpine": "docker"},
    "dnsmasq-base": dict.fromkeys(_COMMANDS, "dnsmasq"),
    "e2fsprogs": dict.fromkeys(_COMMANDS, "e2fsprogs"),
    "iptables": dict.fromkeys(_COMMANDS, "iptables"),
    "libvirt-clients": {
        "fedora": "libvirt-client",
        "suse": "libvirt-client",
        "arch": "libvirt",
        "alpine": "libvirt-client",
    },
    "libvirt-daemon-system": {
        "fedora": "libvirt-daemon-kvm",
        "suse": "libvirt-daemon-qemu",
        "arch": "libvirt",
        "alpine": "libvirt-daemon",
    },
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
    "vagrant": {"fedora": "vagrant", "arch": "vagrant"},
    "vagrant-libvirt": {"fedora": "vagrant-libvirt"},
}
"""What Debian's packages are called elsewhere. Of those that are not here only words are said."""
_WITHOUT: Final = {("rhel", "docker.io"), ("rhel", "vagrant"), ("rhel", "vagrant-libvirt")}
"""Packages that Fedora has and what is made from it has not."""


def apt_command(packages: Sequence[str]) -> str:
    """What a user types to install packages of Debian."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def install_command(host: Host, packages: Sequence[str]) -> str:
    """What a user of this host types to install what these packages of Debian are there; "" if that is not known."""
    if host.has_apt:
        return apt_command(packages)
    like = host.distributions if host.system == "Linux" else ()
    family = next((name for name in (*like, *map(_parent, like)) if name in _COMMANDS), "")
    names = [
        _NAMES.get(name, {}).get(family, "")
        for name in packages
        if not any((other, name) in _WITHOUT for other in like)
    ]
    if not family or len(names) < len(packages) or not all(names):
        return ""
    return f"{_COMMANDS[family]} {' '.join(dict.fromkeys(names))}"


def _parent(name: str) -> str:
    """The family of a distribution that is called after it: "opensuse-leap"."""
    return "suse" if "suse" in name or name.startswith("sle") else ""
