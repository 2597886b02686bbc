"""A project on this machine: its folder, its spec, and the options of one run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envctl import definition
from envctl.definition.loader import SpecLoader
from envctl.errors import EnvctlError
from envctl.plan.target import DEFAULT_BACKEND
from envctl.progress import Report, no_progress
from envctl.trust.approval import Ask, nobody

if TYPE_CHECKING:
    from envctl.definition.resolved import Resolved
    from envctl.planner.planned_services import PlannedServices
    from envctl.render.templates import Templates
    from envctl.trust.host_access import Mounted


class Project:
    """A project's folder and the options of one run, which all its sessions share.

    With `free_ports`, services use free host ports despite the spec. `ask` asks the user to allow the project's access
    to this host.
    """

    def __init__(
        self,
        root: Path,
        *,
        environ: Mapping[str, str],
        sets: Mapping[str, str] | None = None,
        report: Report = no_progress,
        free_ports: bool = False,
        ask: Ask = nobody,
        loader: SpecLoader | None = None,
        shared: PlannedServices | None = None,
        profiles: Collection[str] | None = (),
    ) -> None:
        self.root = root
        self.environ = environ
        self.sets = sets or {}
        self.report = report
        self.free_ports = free_ports
        self.ask = ask
        self.loader = loader or SpecLoader(root, sets=self.sets, environ=environ)
        self.profiles = profiles
        """The chosen profiles; None for all."""
        self.shared = shared
        """The planned services, if all environments are planned in one run.

        In that case, each environment is resolved from the files, because they share common parts, and no cache is
        written.
        """

    def with_free_ports(self) -> Project:
        """Return the same project, with free host ports for its services."""
        return self._with(free_ports=True)

    def with_all_profiles(self) -> Project:
        """Return the same project, including services whose profiles are not chosen."""
        return self._with(profiles=None)

    def anew(self) -> Project:
        """Return the same project, with the present spec."""
        return self._with(loader=None)

    def with_shared_services(self) -> Project:
        """Return the same project; services that are equal in several environments are planned once."""
        from envctl.planner.planned_services import PlannedServices

        return self._with(shared=PlannedServices())

    def _with(self, **changes: Any) -> Project:
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "environ",
                "sets",
                "report",
                "free_ports",
                "ask",
                "loader",
                "shared",
                "profiles",
            )
        }
        return Project(self.root, **{**options, **changes})

    def environments(self) -> tuple[str, ...]:
        """Return the names of the project's environments."""
        return self.loader.environments

    def resolved(self, environment: str, *, allow_missing_files: bool = False) -> Resolved:
        """Return the resolved spec of one environment. With `allow_missing_files`, project files for builds may be missing."""
        return self.loader.load(
            environment, allow_missing_files=allow_missing_files, cache=self.shared is None
        )

    def usual_backend(self) -> str:
        """Return the backend of the environments, if all readable ones agree; otherwise the default."""
        backends: set[str] = set()
        for name in self.environments():
            with suppress(EnvctlError):
                backends.add(self.resolved(name).data["backend"])
        return backends.pop() if len(backends) == 1 else DEFAULT_BACKEND

    def valid_parts(self, environment: str) -> Resolved | None:
        """Return the valid parts of a spec with problems; None if nothing is valid."""
        return definition.valid_parts(self.root, environment, sets=self.sets, environ=self.environ)

    def mounted_elsewhere(self, environment: str) -> Iterator[Mounted]:
        """Return the paths of this host that the project's other environments mount."""
        from envctl.trust.declared_access import mounted_by

        others = (name for name in self.environments() if name != environment)
        return mounted_by(others, self.resolved, alike=self.alike)

    @cached_property
    def alike(self) -> Mapping[str, None]:
        """The environments that are known to have the same mounts."""
        return self.loader.alike

    @cached_property
    def templates(self) -> Templates:
        """The project's own templates, which take precedence over envctl's."""
        from envctl.render.templates import Templates

        return Templates(self.root)
