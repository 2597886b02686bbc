"""What Debian's packages of the container engine are called elsewhere. Of those that are not here only words are said."""

from __future__ import annotations

from typing import Final

from envctl.doctor.install_commands import PackageNames

PACKAGE_NAMES: Final[PackageNames] = {
    "docker.io": {
        "fedora": "moby-engine",
        "rhel": "",
        "suse": "docker",
        "arch": "docker",
        "alpine": "docker",
    },
}
