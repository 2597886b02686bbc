"""Names and paths of an environment on a host. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envctl.backends.common.step_views import slug
from envctl.lazy_dataclass import dataclass
from envctl.plan.image_volumes import parted
from envctl.plan.model import Build, Plan, Port, Secret, Unit

SECRETS: Final = "/run/secrets"


@dataclass(frozen=True, slots=True)
class HostNames:
    """The names and paths, which all have `prefix`: project and environment."""

    prefix: str

    @classmethod
    def of(cls, plan: Plan) -> HostNames:
        """The names for a plan."""
        return cls(slug(f"{plan.scope.project}-{plan.scope.environment}"))

    def service(self, unit: Unit) -> str:
        """The service of a unit."""
        return f"{self.prefix}-{unit.name}.service"

    def forwarder(self, unit: Unit, port: Port) -> str:
        """The name, without its end, of the units that forward a port of the host. No service of the spec has a dot."""
        return f"{self.prefix}.{unit.name}.{port.host}"

    @property
    def scripts(self) -> str:
        """The folder of installed scripts."""
        return f"/usr/local/lib/{self.prefix}"

    @property
    def state(self) -> str:
        """The folder of volumes, and of notes about what is built."""
        return f"/var/lib/{self.prefix}"

    @property
    def secrets(self) -> str:
        """The folder where the operator puts secrets."""
        return f"/etc/{self.prefix}/secrets"

    def ready_script(self, unit: Unit) -> str:
        """The script that waits until a unit is healthy."""
        return f"{self.scripts}/{unit.name}-ready"

    def volume(self, name: str) -> str:
        """The folder of a volume."""
        of_image = parted(name)
        return f"{self.state}/volumes/{f'{of_image[0]}.{slug(of_image[1])}' if of_image else name}"

    def secret_folder(self, unit: Unit) -> str:
        """The folder in memory with a unit's secrets."""
        return f"/run/{self.prefix}/{unit.name}"

    def secret_file(self, unit: Unit, secret: Secret) -> str:
        """The file of a secret there: with the name that it has in SECRETS, or a hidden one."""
        name = secret.target.removeprefix(f"{SECRETS}/")
        is_in_folder = name != secret.target and "/" not in name
        return f"{self.secret_folder(unit)}/{name if is_in_folder else f'.{secret.name}'}"


def host_units(plan: Plan) -> Sequence[Unit]:
    """The units that run on the host itself: those that are built in steps.

    A host has each port once, so of a service with ports only the first replica runs there.
    """
    return [
        unit
        for unit in plan.units
        if isinstance(unit.source, Build) and (unit.replica == 1 or not unit.run.ports)
    ]
