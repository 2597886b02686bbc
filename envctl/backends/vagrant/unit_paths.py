"""Where a unit's things are in its machine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.plan.model import Secret

SECRETS: Final = "/run/secrets"


@dataclass(frozen=True, slots=True)
class UnitPaths:
    """Where a unit's things are in its machine, which it may share with others."""

    unit: str
    shared: bool = False

    @property
    def service(self) -> str:
        """The unit's service of systemd."""
        return f"envctl-{self.unit}.service"

    @property
    def processes(self) -> str:
        """The file that lists the unit's processes; it is there only while there are some, or are about to be."""
        return f"/sys/fs/cgroup/system.slice/{self.service}/cgroup.procs"

    @property
    def script(self) -> str:
        """The script that becomes the unit's process."""
        return f"/etc/envctl/{self.unit}/run"

    @property
    def ended(self) -> str:
        """The script that notes how the process ended."""
        return f"/etc/envctl/{self.unit}/ended"

    @property
    def log_service(self) -> str:
        """The service of systemd that sends what the process writes to the journal."""
        return f"envctl-log@{self.unit}.service"

    @property
    def pipes(self) -> tuple[str, str]:
        """Where the process writes: its standard output and its standard error."""
        return f"/run/envctl/output/{self.unit}/stdout", f"/run/envctl/output/{self.unit}/stderr"

    @property
    def secrets(self) -> str:
        """The folder, in memory, of the unit's secrets; a shared machine shows it as SECRETS to the unit alone."""
        return f"/run/envctl/secrets/{self.unit}" if self.shared else SECRETS


def secret_file(secret: Secret, paths: UnitPaths) -> str:
    """Where a secret's file is, in memory; its target may be a link to it."""
    return f"{paths.secrets}/{secret_name(secret)}"


def secret_name(secret: Secret) -> str:
    """What the file of a secret is called: as its target, if that is a file in SECRETS; else hidden."""
    inside = secret.target.removeprefix(f"{SECRETS}/")
    is_in_folder = inside != secret.target and "/" not in inside
    return inside if is_in_folder else "." + secret.name
