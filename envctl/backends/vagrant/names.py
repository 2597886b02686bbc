"""What machines and what belongs to them are called: everything of an environment begins alike."""

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
"""How the name of a volume's disk ends."""
SHARED: Final = "_all"
"""The name of the machine of all units that share one; no unit can be called so."""
_MACHINE: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*")


def vagrant_name(machine: str) -> str:
    """What Vagrant can call a machine: a name of hexadecimal digits alone gets `.vm` at its end.

    Vagrant takes a name that is the beginning of the id of any machine it knows, of whatever folder, for
    that machine: one called `db` could be another project's.
    Source: `get` in https://github.com/hashicorp/vagrant/blob/v2.3.4/lib/vagrant/machine_index.rb.
    """
    return f"{machine}.vm" if re.fullmatch("[0-9a-f]+", machine) else machine


@dataclass(frozen=True, slots=True)
class MachineNames:
    """The names of one environment's resources. Project, environment and units are plain names."""

    scope: Scope

    @property
    def prefix(self) -> str:
        """What every name begins with; tells checkouts and environments apart.

        It is made of the checkout's folder alone: a project that is renamed keeps its machines.
        """
        return f"{self._checkout}-{self.scope.environment}"

    @property
    def _checkout(self) -> str:
        """What the names of all environments of the checkout begin with."""
        folder = re.sub(r"[^a-z0-9]+", "-", Path(self.scope.origin).name.lower()).strip("-")[:40]
        return f"{folder or 'project'}-{self.scope.project_id}"

    def environment(self, domain: str) -> str | None:
        """The environment of a domain; None if it is none of the checkout."""
        head, _, unit = domain.partition("_")
        name = head.removeprefix(f"{self._checkout}-")
        return name if unit and name != head else None

    def domain(self, unit: str) -> str:
        """A unit's domain at libvirt; its disk is called after it."""
        return f"{self.prefix}_{unit}"

    def unit(self, domain: str) -> str | None:
        """The unit of a domain; None if it is none of this environment."""
        head, _, unit = domain.partition("_")
        return unit if head == self.prefix and unit else None

    @property
    def network(self) -> str:
        """The environment's network."""
        return self.prefix

    @property
    def addresses(self) -> str:
        """The first two numbers and a half of the network's addresses: 10.A.B, A from 128 on."""
        number = int(hashlib.sha256(self.prefix.encode()).hexdigest()[:8], 16)
        return f"10.{128 + number % 127}.{number // 127 % 256}"

    def disk(self, volume: str) -> str:
        """The disk, in the storage pool, of a volume of the spec."""
        return f"{self.prefix}_{quote(volume, safe='')}{DISK}"

    def volume(self, disk: str) -> str | None:
        """The volume of a disk; None if it is none of this environment."""
        head, _, file = disk.partition("_")
        name = file.removesuffix(DISK)
        return unquote(name) if head == self.prefix and name != file else None

    @property
    def folder(self) -> Path:
        """Where envctl works on the environment's machines: outside the project, a cache but for the machines' key."""
        return state_path(Path(self.scope.root), "vagrant", self.scope.environment)

    @property
    def likely(self) -> Sequence[str]:
        """The domains that there probably are: of the machines that were made here."""
        machines = sorted(file.parent.name for file in self.folder.glob("*/Vagrantfile"))
        return [self.domain(machine) for machine in machines if _MACHINE.fullmatch(machine)]

    def machine(self, unit: str) -> Path:
        """The folder of a unit's Vagrantfile."""
        return self.folder / unit


def vagrant_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Vagrant's own folder."""
    return Path(environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's folder for what all projects share: kernels, and disks in the making."""
    return shared("vagrant", environ=environ)
