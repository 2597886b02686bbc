"""The paths and service names of a unit in its machine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.plan.model import Secret

SECRETS: Final = "/run/secrets"


@dataclass(frozen=True, slots=True)
class UnitPaths:
    """The paths and service names of a unit in its machine, which may be shared."""

    unit: str
    shared: bool = False

    @property
    def service(self) -> str:
        """The unit's systemd service."""
        return f"envctl-{self.unit}.service"

    @property
    def processes(self) -> str:
        """The file that lists the unit's processes. It exists only while it has processes or the service is starting."""
        return f"/sys/fs/cgroup/system.slice/{self.service}/cgroup.procs"

    @property
    def script(self) -> str:
        """The script that becomes the unit's process."""
        return f"/etc/envctl/{self.unit}/run"

    @property
    def ended(self) -> str:
        """The script that records how the process exited."""
        return f"/etc/envctl/{self.unit}/ended"

    @property
    def log_service(self) -> str:
        """The systemd service that sends the unit's output to the journal."""
        return f"envctl-log@{self.unit}.service"

    @property
    def pipes(self) -> tuple[str, str]:
        """The pipes of the process's standard output and standard error."""
        return f"/run/envctl/output/{self.unit}/stdout", f"/run/envctl/output/{self.unit}/stderr"

    @property
    def secrets(self) -> str:
        """The folder of the unit's secrets, in memory. In a shared machine, only the unit sees it, as SECRETS."""
        return f"/run/envctl/secrets/{self.unit}" if self.shared else SECRETS


def secret_file(secret: Secret, paths: UnitPaths) -> str:
    """The path of a secret's file, in memory; its target may be a link to it."""
    return f"{paths.secrets}/{file_name(secret.name, secret.target)}"


def secret_name(secret: Secret) -> str:
    """The file name of a secret: that of its target, if it is directly in SECRETS; otherwise a hidden file."""
    return file_name(secret.name, secret.target)


def file_name(secret: str, target: str) -> str:
    """The file name of a secret with a target."""
    inside = target.removeprefix(f"{SECRETS}/")
    is_in_folder = inside != target and "/" not in inside
    return inside if is_in_folder else "." + secret
