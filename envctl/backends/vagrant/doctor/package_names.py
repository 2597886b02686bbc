"""Names of the needed packages in other distributions. For those that are missing here, doctor only gives advice."""

from __future__ import annotations

from typing import Final

from envctl.doctor.install_commands import PackageNames

PACKAGE_NAMES: Final[PackageNames] = {
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
    "vagrant": {"fedora": "vagrant", "rhel": "", "arch": "vagrant"},
    "vagrant-libvirt": {"fedora": "vagrant-libvirt", "rhel": ""},
}
