"""The template values for a machine's Vagrantfile. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envctl.backends.vagrant.layout import DesiredMachine
from envctl.backends.vagrant.names import SHARED, MachineNames
from envctl.backends.vagrant.quoting import FUNCTIONS, kernel
from envctl.host.architectures import NATIVE
from envctl.plan.model import Mount


def context(
    names: MachineNames,
    machines: Mapping[str, DesiredMachine],
    boxes: Mapping[str, str],
    *,
    key: str,
    public_key: str,
) -> Mapping[str, Any]:
    """The template values; `boxes` has the boxes of these machines by name."""
    return {
        **FUNCTIONS,
        **processor(),
        "key": key,
        "prefix": names.prefix,
        "network": names.network,
        "addresses": f"{names.addresses}.0/24",
        "machines": [
            _machine(names, machine, boxes[name], public_key) for name, machine in machines.items()
        ],
    }


def processor() -> Mapping[str, Any]:
    """Values that depend on the host's processor."""
    return {"cpu_model": NATIVE.cpu, "kvm_flags": NATIVE.kvm_flags}


def _machine(
    names: MachineNames, machine: DesiredMachine, box: str, public_key: str
) -> Mapping[str, Any]:
    host = names.scope.environment if machine.name == SHARED else machine.name
    return {
        # Never only hexadecimal digits (see names.vagrant_name). The prefix and this name form the domain's name.
        "name": f"_{machine.name}",
        "box": box,
        "cpus": machine.cpus,
        "memory": machine.memory,
        "mounts": machine.mounts,
        "disks": disks(machine, names.disk),
        "cmd_line": " ".join(_words(machine, host, public_key)),
    }


def disks(machine: DesiredMachine, name_of: Callable[[str], str]) -> Sequence[Mapping[str, str]]:
    """The disks of a machine's volumes. A machine finds each by its serial number."""
    return [
        {"path": name_of(volume.name), "size": machine.disk_size, "serial": f"volume{number}"}
        for number, volume in enumerate(machine.volumes)
    ]


def _tag(mount: Mount) -> str:
    """The tag that Vagrant gives to a shared folder in the machine."""
    return hashlib.md5(mount.source.encode(), usedforsecurity=False).hexdigest()[:31]


def _words(machine: DesiredMachine, host: str, public_key: str) -> Sequence[str]:
    return [
        "console=ttyS0",
        "quiet",
        # Machines have no AppArmor profiles or tools.
        "apparmor=0",
        f"envctl.host={host}",
        *(
            f"envctl.volume=volume{number}:{kernel(volume.target)}"
            for number, volume in enumerate(machine.volumes)
        ),
        *(
            f"envctl.share={'ro-' if mount.read_only else ''}{_tag(mount)}:{kernel(mount.target)}"
            for mount in machine.mounts
        ),
        *(f"envctl.module={name}" for name in machine.modules),
        f"envctl.key={public_key}",
    ]
