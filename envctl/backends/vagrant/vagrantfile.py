"""A unit as a machine of a Vagrantfile. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from envctl.backends.vagrant import options
from envctl.backends.vagrant.names import Names
from envctl.backends.vagrant.quoting import FUNCTIONS, kernel
from envctl.plan.model import Mount, Unit


def context(
    names: Names, units: Mapping[str, Unit], boxes: Mapping[str, str], *, key: str, public_key: str
) -> Mapping[str, Any]:
    """What the template of a Vagrantfile with these machines is given."""
    return {
        **FUNCTIONS,
        "key": key,
        "prefix": f"{names.prefix}_",
        "network": names.network,
        "addresses": f"{names.addresses}.0/24",
        "machines": [
            _machine(names, unit, boxes[name], public_key) for name, unit in units.items()
        ],
    }


def _machine(names: Names, unit: Unit, box: str, public_key: str) -> Mapping[str, Any]:
    return {
        "name": unit.name,
        "box": box,
        "cpus": options.cpus(unit),
        "memory": options.memory(unit),
        "mounts": unit.run.mounts,
        "disks": [
            {
                "path": names.disk(volume.name),
                "size": options.disk_size(unit),
                "serial": f"volume{number}",
            }
            for number, volume in enumerate(unit.run.volumes)
        ],
        "cmd_line": " ".join(_words(unit, public_key)),
    }


def _tag(mount: Mount) -> str:
    """What Vagrant calls a shared folder inside."""
    return hashlib.md5(mount.source.encode(), usedforsecurity=False).hexdigest()[:31]


def _words(unit: Unit, public_key: str) -> Sequence[str]:
    return [
        "console=ttyS0",
        "quiet",
        f"envctl.host={unit.name}",
        *(
            f"envctl.volume=volume{number}:{kernel(volume.target)}"
            for number, volume in enumerate(unit.run.volumes)
        ),
        *(
            f"envctl.share={'ro-' if mount.read_only else ''}{_tag(mount)}:{kernel(mount.target)}"
            for mount in unit.run.mounts
        ),
        f"envctl.key={public_key}",
    ]
