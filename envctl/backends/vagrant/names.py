"""The names of machines, networks and disks. All names of an environment share a prefix."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from envctl.host.cache_folders import shared
from envctl.host.private_state import state_path
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.plan.scope import Scope

DISK: Final = ".volume.qcow2"
"""The suffix of the disks of volumes."""
SHARED: Final = "_all"
"""The name of the shared machine. It is not a valid name of a unit."""
_MACHINE: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*")


def vagrant_name(machine: str) -> str:
    """A machine's name for Vagrant. A name of only hexadecimal digits gets the suffix `.vm`.

    If a name is the beginning of the id of any machine in any folder, Vagrant uses that machine: `db` could be a
    machine of another project.
    Source: `get` in https://github.com/hashicorp/vagrant/blob/v2.3.4/lib/vagrant/machine_index.rb.
    """
    return f"{machine}.vm" if re.fullmatch("[0-9a-f]+", machine) else machine


@dataclass(frozen=True, slots=True)
class MachineNames:
    """The names of one environment's resources. Project, environment and units are plain names."""

    scope: Scope

    @property
    def prefix(self) -> str:
        """The prefix of all names, different for each checkout and environment.

        It contains the folder's name instead of the project's, so that a renamed project keeps its machines.
        """
        return f"{self._checkout}-{self.scope.environment}"

    @property
    def _checkout(self) -> str:
        """The prefix of all environments of the checkout."""
        folder = "-".join(re.findall(r"[a-z0-9]+", Path(self.scope.origin).name.lower()))[:40]
        return f"{folder or 'project'}-{self.scope.project_id}"

    @property
    def key(self) -> Path:
        """The private SSH key of the environment's machines."""
        return self.folder / "key"

    def environment(self, domain: str) -> str | None:
        """The environment of a domain; None if it does not belong to the checkout."""
        head, _, unit = domain.partition("_")
        name = head.removeprefix(f"{self._checkout}-")
        return name if unit and name != head else None

    def domain(self, unit: str) -> str:
        """The libvirt domain of a unit; its root disk is named after it."""
        return f"{self.prefix}_{unit}"

    def unit(self, domain: str) -> str | None:
        """The unit of a domain; None if it does not belong to this environment."""
        head, _, unit = domain.partition("_")
        return unit if head == self.prefix and unit else None

    @property
    def network(self) -> str:
        """The environment's network."""
        return self.prefix

    @property
    def addresses(self) -> str:
        """The first three numbers of the network's addresses: 10.A.B, where A is 128 or more."""
        number = int(hashlib.sha256(self.prefix.encode()).hexdigest()[:8], 16)
        return f"10.{128 + number % 127}.{number // 127 % 256}"

    def disk(self, volume: str) -> str:
        """The name of a volume's disk in the storage pool."""
        return f"{self.prefix}_{quote(volume, safe='')}{DISK}"

    def volume(self, disk: str) -> str | None:
        """The volume of a disk; None if it does not belong to this environment."""
        head, _, file = disk.partition("_")
        name = file.removesuffix(DISK)
        return unquote(name) if head == self.prefix and name != file else None

    @property
    def folder(self) -> Path:
        """The environment's folder, outside the project. Everything in it except the key can be written again."""
        return state_path(Path(self.scope.root), "vagrant", self.scope.environment)

    @property
    def likely(self) -> Sequence[str]:
        """The domains that probably exist: those of machines that were created from here."""
        machines = sorted(file.parent.name for file in self.folder.glob("*/Vagrantfile"))
        return [self.domain(machine) for machine in machines if _MACHINE.fullmatch(machine)]

    def machine(self, unit: str) -> Path:
        """The folder of a machine's Vagrantfile."""
        return self.folder / unit


def vagrant_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Vagrant's home folder."""
    return Path(environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's cache folder for all projects: kernels, locks and unfinished disks."""
    return shared("vagrant", environ=environ)
