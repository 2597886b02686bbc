"""Names of the engine's packages in other distributions. For those that are missing here, doctor only gives advice."""

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
